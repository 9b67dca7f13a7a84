package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Hidden pages of the kernel that runs the tests, and what its refusals mean. */
@EnabledOnOs(OS.LINUX)
class MemfdSecretTest {

    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);
    private final Calls calls = new Calls();
    private final Linux linux = new Linux(calls);
    private final long page = linux.pageBytes();

    @Test
    void pagesArePopulatedZerosLockedAndBetweenGuards() throws Refusal {
        long lockedBefore = LinuxProcess.lockedBytes();
        long start = reserve(2 * page, page);
        long address = start + page;

        assertThat(LinuxProcess.mappingFlags(start)).doesNotContain("rd", "wr");
        assertThat(LinuxProcess.mappingFlags(address + 2 * page)).doesNotContain("rd", "wr");
        assertThat(LinuxProcess.mappingFlags(address)).contains("rd", "wr", "sh", "lo", "dd");
        assertThat(LinuxProcess.isPresent(address)).isTrue();
        assertThat(LinuxProcess.isPresent(address + page)).isTrue();
        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore + 2 * page);
        MemorySegment pages = NativeMemory.segment(address, 2 * page);
        assertThat(pages.mismatch(MemorySegment.ofArray(new byte[(int) (2 * page)]))).isEqualTo(-1);

        linux.release(start, 4 * page, callState);
        assertThat(LinuxProcess.isMapped(address)).isFalse();
        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
        assertThat(calls.openFiles).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "38, NotSupported, ENOSYS, secretmem.enable=1",
        "1, NotPermitted, EPERM, seccomp",
        "24, Shortage, EMFILE, ulimit -n",
        "23, Shortage, ENFILE, fs.file-max",
        "22, SystemError, EINVAL, EINVAL"
    })
    void theKernelWithoutHiddenMemoryIsExplained(
            int errno, String kind, String name, String remedy) {
        calls.secretErrno = errno;
        refusedWithNothingLeft(kind, "memfd_secret: " + name + " (" + errno + ")", remedy);
    }

    @ParameterizedTest
    @CsvSource({
        "11, LockLimit, EAGAIN, ulimit -l",
        "12, OutOfMemory, ENOMEM, vm.max_map_count",
        "1, NotPermitted, EPERM, policy",
        "17, SystemError, EEXIST, 16 places",
        "22, SystemError, EINVAL, EINVAL"
    })
    void aMappingThatIsRefusedIsExplained(int errno, String kind, String name, String remedy) {
        requireHiddenMemory();
        calls.mapErrno = errno;
        refusedWithNothingLeft(kind, "4096 bytes of memfd_secret: " + name, remedy);
    }

    @Test
    void aPlaceThatAnotherThreadTakesIsLookedForAgain() throws Refusal {
        requireHiddenMemory();
        calls.mapErrno = 17;
        calls.failingMaps = 3;
        long start = reserve(page, page);
        assertThat(LinuxProcess.mappingFlags(start + page)).contains("rd", "wr");
        linux.release(start, 3 * page, callState);
        assertThat(calls.mappedBytes).isZero();
        assertThat(calls.openFiles).isZero();
    }

    @Test
    void roomThatCannotBeMadeIsGivenBackWhole() {
        requireHiddenMemory();
        calls.failingUnmap = 1;
        refusedWithNothingLeft("OutOfMemory", "making room for 4096 bytes", "vm.max_map_count");
    }

    @Test
    void aFileThatCannotGrowIsClosed() {
        requireHiddenMemory();
        calls.truncateErrno = 12;
        refusedWithNothingLeft("OutOfMemory", "memfd_secret of 4096 bytes", "ENOMEM");
    }

    @Test
    void pagesThatTheKernelCannotProvideAreARefusalAndNotASignal() {
        requireHiddenMemory();
        calls.readErrno = 14;
        refusedWithNothingLeft("OutOfMemory", "populating hidden 4096 bytes", "EFAULT (14)");
    }

    @Test
    void withoutAFileOfZerosPagesAreTouched() throws Refusal {
        requireHiddenMemory();
        calls.openErrno = 2;
        long start = reserve(page, page);
        assertThat(LinuxProcess.isPresent(start + page)).isTrue();
        linux.release(start, 3 * page, callState);
    }

    private long reserve(long bytes, long guardBytes) throws Refusal {
        try {
            return linux.reserveHidden(bytes, guardBytes, callState);
        } catch (Refusal.NotSupported | Refusal.NotPermitted e) {
            return abort("skipped: " + e.getMessage());
        }
    }

    private void requireHiddenMemory() {
        try {
            linux.release(reserve(page, page), 3 * page, callState);
        } catch (Refusal e) {
            throw new AssertionError(e);
        }
        calls.mappedBytes = 0;
        calls.unmaps = 0;
    }

    private void refusedWithNothingLeft(String kind, String what, String remedy) {
        assertThatThrownBy(() -> linux.reserveHidden(page, page, callState))
                .hasMessageContainingAll(what, remedy)
                .extracting(refusal -> refusal.getClass().getSimpleName())
                .isEqualTo(kind);
        assertThat(calls.mappedBytes).isZero();
        assertThat(calls.openFiles).isZero();
    }

    /** The real calls, counted; each fails with an error of the test's choice, unless that is 0. */
    private final class Calls implements LinuxCalls {

        private long mappedBytes;
        private int openFiles;
        private int unmaps;
        private int failingUnmap;
        private int failingMaps = Integer.MAX_VALUE;
        private int secretErrno;
        private int mapErrno;
        private int truncateErrno;
        private int openErrno;
        private int readErrno;

        private int fail(int errno, MemorySegment state) {
            state.set(
                    ValueLayout.JAVA_INT,
                    CallState.LAYOUT.byteOffset(PathElement.groupElement("errno")),
                    errno);
            return -1;
        }

        @Override
        public int memfdSecret(int flags, MemorySegment state) {
            if (secretErrno != 0) {
                return fail(secretErrno, state);
            }
            return opened(LinuxCalls.super.memfdSecret(flags, state));
        }

        @Override
        public int open(MemorySegment path, int flags, MemorySegment state) {
            return openErrno != 0
                    ? fail(openErrno, state)
                    : opened(LinuxCalls.super.open(path, flags, state));
        }

        private int opened(int file) {
            openFiles += file < 0 ? 0 : 1;
            return file;
        }

        @Override
        public int close(int file) {
            openFiles--;
            return LinuxCalls.super.close(file);
        }

        @Override
        public int ftruncate(int file, long bytes, MemorySegment state) {
            return truncateErrno != 0
                    ? fail(truncateErrno, state)
                    : LinuxCalls.super.ftruncate(file, bytes, state);
        }

        @Override
        public long pread(
                int file, MemorySegment buffer, long bytes, long position, MemorySegment state) {
            return readErrno != 0
                    ? fail(readErrno, state)
                    : LinuxCalls.super.pread(file, buffer, bytes, position, state);
        }

        @Override
        public long mmap(long address, long size, int protection, int flags, MemorySegment state) {
            mappedBytes += size;
            return LinuxCalls.super.mmap(address, size, protection, flags, state);
        }

        @Override
        public long mmap(
                long address,
                long size,
                int protection,
                int flags,
                int file,
                long offset,
                MemorySegment state) {
            if (mapErrno != 0 && failingMaps > 0) {
                failingMaps--;
                return fail(mapErrno, state);
            }
            mappedBytes += size;
            return LinuxCalls.super.mmap(address, size, protection, flags, file, offset, state);
        }

        @Override
        public int munmap(long address, long size, MemorySegment state) {
            unmaps++;
            if (unmaps == failingUnmap) {
                return fail(12, state);
            }
            mappedBytes -= size;
            return LinuxCalls.super.munmap(address, size, state);
        }
    }
}
