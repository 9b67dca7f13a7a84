package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.os.OperatingSystem.Access;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.OperatingSystem.LockBudget;

import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** The calls made on macOS, and what their answers mean, on any system. */
class MacOsTest {

    private static final long PAGE = 16384;
    private static final long PLACE = 0x100004000L;

    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);
    private final Answers answers = new Answers();
    private final OperatingSystem mac = new MacOs(answers);

    @Test
    void thePageSizeIsTheSystems() {
        assertThat(mac.pageBytes()).isEqualTo(PAGE);
    }

    @Test
    void reservationsUseTheFlagsOfMacOsAndAreTrimmed() throws Refusal {
        assertThat(mac.reserve(PAGE, 2 * PAGE, callState)).isEqualTo(0x100008000L);
        assertThat(answers.calls)
                .containsExactly(
                        "mmap 0 32768 protection 0 flags 0x1002", "munmap 100004000 16384");
    }

    @Test
    void pagesGoThroughTheirLife() throws Refusal {
        mac.commit(PLACE, PAGE, callState);
        mac.protect(PLACE, PAGE, Access.READ, callState);
        mac.protect(PLACE, PAGE, Access.NONE, callState);
        mac.lock(PLACE, PAGE, callState);
        mac.unlock(PLACE, PAGE, callState);
        mac.release(PLACE, PAGE, callState);
        assertThat(answers.calls)
                .containsExactly(
                        "mprotect 100004000 16384 3",
                        "mprotect 100004000 16384 1",
                        "mprotect 100004000 16384 0",
                        "mlock 100004000 16384",
                        "munlock 100004000 16384",
                        "munmap 100004000 16384");
    }

    @Test
    void aForkIsKeptAwayByInheritanceAndMergingNeedsNothing() throws Refusal {
        mac.advise(PLACE, PAGE, Advice.DONT_FORK, callState);
        mac.advise(PLACE, PAGE, Advice.DONT_MERGE, callState);
        assertThat(answers.calls).containsExactly("minherit 100004000 16384 2");
        for (Advice unknown : new Advice[] {Advice.DONT_DUMP, Advice.WIPE_ON_FORK}) {
            assertThatThrownBy(() -> mac.advise(PLACE, PAGE, unknown, callState))
                    .isInstanceOf(Refusal.NotSupported.class);
        }
        assertThatThrownBy(() -> mac.reserveHidden(PAGE, PAGE, callState))
                .isInstanceOf(Refusal.NotSupported.class)
                .hasMessageContaining("no memory that it hides");
    }

    @Test
    void tooMuchLockedIsTheLockLimit() {
        answers.errno = 35;
        assertThatThrownBy(() -> mac.lock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.LockLimit.class)
                .hasMessageContainingAll(
                        "EAGAIN (35)", "16384 bytes", "65536", "ulimit -l", "vm.user_wire_limit");
        assertThat(answers.calls).contains("munlock 100004000 16384");
    }

    @Test
    void pagesThatCannotBeFilledAreOutOfMemory() {
        answers.errno = 12;
        assertThatThrownBy(() -> mac.lock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContaining("ENOMEM (12)");
        assertThat(answers.calls).contains("munlock 100004000 16384");
    }

    @Test
    void theLockLimitIsTheResourceLimitOfThisNumber() throws Refusal {
        assertThat(mac.lockBudget()).isEqualTo(new LockBudget(0, 65536, Long.MAX_VALUE, false));
        assertThat(answers.calls).containsExactly("getrlimit 6");
    }

    @Test
    void alignedBlocksComeFromPosixMemalignAndGoBackThroughFree() throws Refusal {
        assertThat(mac.alignedAlloc(1, 100)).isEqualTo(PLACE);
        mac.alignedFree(PLACE);
        assertThat(answers.calls).containsExactly("posix_memalign 8 100", "free 100004000");

        answers.errno = 12;
        assertThatThrownBy(() -> mac.alignedAlloc(64, Long.MAX_VALUE))
                .isInstanceOf(Refusal.OutOfMemory.class);
    }

    @Test
    void physicalAddressesAreNotSupported() throws Refusal {
        assertThat(mac.machine()).isEqualTo(OperatingSystem.Machine.UNKNOWN);
        assertThatThrownBy(() -> mac.readPageMap(PLACE, MemorySegment.NULL, callState))
                .isInstanceOf(Refusal.NotSupported.class);
        assertThatThrownBy(() -> mac.readFrameFlags(1, MemorySegment.NULL, callState))
                .isInstanceOf(Refusal.NotSupported.class);
        assertThatThrownBy(() -> mac.readFrameCounts(1, MemorySegment.NULL, callState))
                .isInstanceOf(Refusal.NotSupported.class);
    }

    /** Records every call. Each succeeds, or fails with {@link #errno} if that is not 0. */
    private static final class Answers implements MacCalls {

        private final List<String> calls = new ArrayList<>();
        private int errno;

        private int answer(MemorySegment callState, String call) {
            calls.add(call);
            callState.set(
                    ValueLayout.JAVA_INT,
                    CallState.LAYOUT.byteOffset(PathElement.groupElement("errno")),
                    errno);
            return errno == 0 ? 0 : -1;
        }

        private static String range(String name, long address, long bytes) {
            return name + " " + Long.toHexString(address) + " " + bytes;
        }

        @Override
        public int getpagesize() {
            return (int) PAGE;
        }

        @Override
        public long mmap(
                long address, long bytes, int protection, int flags, MemorySegment callState) {
            String call = range("mmap", address, bytes) + " protection " + protection;
            return answer(callState, call + " flags 0x" + Integer.toHexString(flags)) == 0
                    ? PLACE
                    : -1;
        }

        @Override
        public int munmap(long address, long bytes, MemorySegment callState) {
            return answer(callState, range("munmap", address, bytes));
        }

        @Override
        public int mprotect(long address, long bytes, int protection, MemorySegment callState) {
            return answer(callState, range("mprotect", address, bytes) + " " + protection);
        }

        @Override
        public int mlock(MemorySegment memory, MemorySegment callState) {
            return answer(callState, range("mlock", memory.address(), memory.byteSize()));
        }

        @Override
        public int munlock(MemorySegment memory, MemorySegment callState) {
            return answer(callState, range("munlock", memory.address(), memory.byteSize()));
        }

        @Override
        public int minherit(long address, long bytes, int inherit, MemorySegment callState) {
            return answer(callState, range("minherit", address, bytes) + " " + inherit);
        }

        @Override
        public int getrlimit(int resource, MemorySegment limits) {
            calls.add("getrlimit " + resource);
            limits.setAtIndex(ValueLayout.JAVA_LONG, 0, 65536);
            limits.setAtIndex(ValueLayout.JAVA_LONG, 1, Long.MAX_VALUE);
            return 0;
        }

        @Override
        public int posixMemalign(MemorySegment result, long alignment, long bytes) {
            calls.add("posix_memalign " + alignment + " " + bytes);
            result.set(ValueLayout.JAVA_LONG, 0, PLACE);
            return errno;
        }

        @Override
        public void free(long address) {
            calls.add("free " + Long.toHexString(address));
        }
    }
}
