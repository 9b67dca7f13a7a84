package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.os.OperatingSystem.Access;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.OperatingSystem.LockBudget;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** On the kernel that runs the tests. */
@EnabledOnOs(OS.LINUX)
class LinuxTest {

    private static final long PRESENT = 1L << 63;
    private static final long FRAME_NUMBER = (1L << 55) - 1;

    /** A flag of /proc/kpageflags, of the range for kernel developers. */
    private static final long MLOCKED = 1L << 33;

    private final OperatingSystem linux = Platform.current();
    private final long page = linux.pageBytes();
    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);

    @ParameterizedTest
    @ValueSource(longs = {1, 16, 4096, 1 << 20})
    void blocksAreAlignedAndUsableToTheLastByte(long alignment) throws Refusal {
        long address = linux.alignedAlloc(alignment, 100);
        assertThat(address % alignment).isZero();
        NativeMemory.segment(address, 100).fill((byte) -1);
        linux.alignedFree(address);
    }

    @Test
    void anAlignedBlockIsResizedWithItsContents() throws Refusal {
        assertThat(linux.hasAlignedRealloc()).isTrue();
        long address = linux.alignedAlloc(1 << 17, 1 << 20);
        NativeMemory.segment(address, 1 << 20).fill((byte) 7);
        long moved = linux.alignedRealloc(address, 64 << 20);
        assertThat(moved % 16).isZero();
        assertThat(NativeMemory.segment(moved, 1 << 20).toArray(ValueLayout.JAVA_BYTE))
                .containsOnly(7);
        assertThatThrownBy(() -> linux.alignedRealloc(moved, Long.MAX_VALUE))
                .isInstanceOf(Refusal.OutOfMemory.class);
        NativeMemory.segment(moved, 64 << 20).fill((byte) 8);
        linux.alignedFree(moved);
    }

    @Test
    void reallocKeepsContentsAndCallocGivesZeros() throws Refusal {
        long address = linux.calloc(8);
        assertThat(NativeMemory.segment(address, 8).get(ValueLayout.JAVA_LONG, 0)).isZero();
        NativeMemory.segment(address, 8).set(ValueLayout.JAVA_LONG, 0, 42);
        long moved = linux.realloc(address, 1 << 20);
        assertThat(NativeMemory.segment(moved, 8).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        linux.free(moved);
    }

    @Test
    void sizesBeyondAllMemoryAreOutOfMemory() throws Refusal {
        long block = linux.malloc(1);
        long wholePages = Long.MAX_VALUE & -page;

        assertThatThrownBy(() -> linux.malloc(Long.MAX_VALUE))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContaining("9223372036854775807 bytes");
        assertThatThrownBy(() -> linux.calloc(Long.MAX_VALUE))
                .isInstanceOf(Refusal.OutOfMemory.class);
        assertThatThrownBy(() -> linux.realloc(block, Long.MAX_VALUE))
                .isInstanceOf(Refusal.OutOfMemory.class);
        for (long alignment = 1; alignment > 0; alignment <<= 1) {
            long multiple = alignment;
            assertThatThrownBy(() -> linux.alignedAlloc(multiple, Long.MAX_VALUE))
                    .isInstanceOf(Refusal.OutOfMemory.class);
        }
        for (long alignment = page; alignment > 0; alignment <<= 1) {
            long multiple = alignment;
            assertThatThrownBy(() -> linux.reserve(wholePages, multiple, callState))
                    .isInstanceOf(Refusal.OutOfMemory.class);
        }
        linux.free(block);
    }

    @ParameterizedTest
    @ValueSource(longs = {1 << 16, 1 << 21, 1 << 30})
    void reservationsAreAlignedAndGiveBackTheirSurplus(long alignment) throws Exception {
        Mappings mappings = new Mappings();
        OperatingSystem system = new Linux(mappings);
        long bytes = 3 * page;
        long address = system.reserve(bytes, alignment, callState);

        assertThat(address % alignment).isZero();
        assertThat(mappedBytes(address, bytes)).isEqualTo(bytes);
        assertThat(mappings.bytes).isEqualTo(bytes);
        system.release(address, bytes, callState);
        assertThat(mappedBytes(address, bytes)).isZero();
        assertThat(mappings.bytes).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aReservationWhoseSurplusCannotBeGivenBackIsUndone(int failing) {
        Mappings mappings = new Mappings();
        mappings.failingUnmap = failing;
        OperatingSystem system = new Linux(mappings);

        assertThatThrownBy(() -> system.reserve(page, 1L << 40, callState))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContaining("EINVAL (22)");
        assertThat(mappings.bytes).isZero();
    }

    @Test
    void committedPagesAreZerosAndProtectionHolds() throws Exception {
        long address = linux.reserve(2 * page, page, callState);
        assertThat(permissions(address)).isEqualTo("---p");

        linux.commit(address, 2 * page, callState);
        assertThat(permissions(address)).isEqualTo("rw-p");
        MemorySegment pages = NativeMemory.segment(address, 2 * page);
        assertThat(pages.mismatch(MemorySegment.ofArray(new byte[(int) (2 * page)]))).isEqualTo(-1);

        linux.protect(address, page, Access.READ, callState);
        assertThat(permissions(address)).isEqualTo("r--p");
        linux.protect(address, page, Access.NONE, callState);
        assertThat(permissions(address)).isEqualTo("---p");
        linux.protect(address, page, Access.READ_WRITE, callState);
        assertThat(permissions(address)).isEqualTo("rw-p");
        linux.release(address, 2 * page, callState);
    }

    @Test
    void populatedPagesAreInThePageMapAndOthersAreNot() throws Refusal {
        withPages(
                4,
                address -> {
                    linux.populate(address, 2 * page, callState);
                    long[] entries = pageMap(address, 4);
                    assertThat(entries[0] & PRESENT).isEqualTo(PRESENT);
                    assertThat(entries[1] & PRESENT).isEqualTo(PRESENT);
                    assertThat(entries[2]).isZero();
                    assertThat(entries[3]).isZero();
                });
    }

    @Test
    void aKernelWithoutPopulateIsTouchedPageByPage() throws Refusal {
        OperatingSystem old =
                new Linux(
                        new LinuxCalls() {
                            @Override
                            public int madvise(
                                    long address, long bytes, int advice, MemorySegment state) {
                                return LinuxCalls.super.madvise(address, bytes, 9999, state);
                            }
                        });
        withPages(
                3,
                address -> {
                    NativeMemory.segment(address, 8).set(ValueLayout.JAVA_LONG, 0, 42);
                    old.populate(address, 2 * page, callState);
                    long[] entries = pageMap(address, 3);
                    assertThat(entries[1] & PRESENT).isEqualTo(PRESENT);
                    assertThat(entries[2]).isZero();
                    assertThat(NativeMemory.segment(address, 8).get(ValueLayout.JAVA_LONG, 0))
                            .isEqualTo(42);
                });
    }

    @Test
    @DisplayName("Touching pages of an arena that is closed meanwhile is an exception, not a crash")
    void populate_withoutAdviceOfAnArenaClosedMeanwhile_throws() throws Exception {
        Path file = Files.createTempFile("touched", null);
        Arena arena = Arena.ofShared();
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MemorySegment memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, 4 * page, arena);
            OperatingSystem old =
                    new Linux(
                            new LinuxCalls() {
                                @Override
                                public int madvise(
                                        MemorySegment segment, int advice, MemorySegment state) {
                                    arena.close(); // as another thread would
                                    return LinuxCalls.super.madvise(
                                            segment.address(), 0, 9999, state);
                                }

                                @Override
                                public int madvise(
                                        long address, long bytes, int advice, MemorySegment state) {
                                    return LinuxCalls.super.madvise(address, bytes, 9999, state);
                                }
                            });
            assertThatThrownBy(() -> old.populate(memory, callState))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void populatingWhatIsNotCommittedIsRefused() throws Refusal {
        long address = linux.reserve(page, page, callState);
        assertThatThrownBy(() -> linux.populate(address, page, callState))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContaining("EINVAL (22), a page is not committed");
        linux.release(address, page, callState);
    }

    @Test
    void lockedPagesCountUntilTheyAreUnlockedOrReleased() throws Refusal {
        long before = linux.lockBudget().lockedBytes();
        withPages(
                4,
                address -> {
                    linux.lock(address, 4 * page, callState);
                    assertThat(linux.lockBudget().lockedBytes()).isEqualTo(before + 4 * page);
                    linux.unlock(address, 2 * page, callState);
                    assertThat(linux.lockBudget().lockedBytes()).isEqualTo(before + 2 * page);
                });
        assertThat(linux.lockBudget().lockedBytes()).isEqualTo(before);
    }

    @Test
    void aLockThatFailsHalfwayLeavesNothingLocked() throws Refusal {
        long before = linux.lockBudget().lockedBytes();
        long address = linux.reserve(4 * page, page, callState);
        linux.commit(address, 2 * page, callState);

        assertThatThrownBy(() -> linux.lock(address, 4 * page, callState))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContaining("ENOMEM (12), within the limit");
        assertThat(linux.lockBudget().lockedBytes()).isEqualTo(before);
        linux.release(address, 4 * page, callState);
    }

    @ParameterizedTest
    @ValueSource(strings = {"DONT_FORK dc", "DONT_DUMP dd", "WIPE_ON_FORK wf"})
    void adviceShowsInTheFlagsOfTheMapping(String adviceAndFlag) throws Refusal {
        String[] parts = adviceAndFlag.split(" ");
        withPages(
                1,
                address -> {
                    linux.advise(address, page, Advice.valueOf(parts[0]), callState);
                    assertThat(smapsFlags(address)).contains(parts[1]);
                });
    }

    @Test
    void everyAdviceIsTaken() throws Refusal {
        withPages(
                1,
                address -> {
                    for (Advice advice : Advice.values()) {
                        linux.advise(address, page, advice, callState);
                    }
                });
    }

    @Test
    void aMistakeIsRefusedWithTheNameOfTheError() {
        assertThatThrownBy(() -> linux.release(page + 1, page, callState))
                .isInstanceOfSatisfying(
                        Refusal.SystemError.class,
                        refusal ->
                                assertThat(refusal.code()).isEqualTo(new ErrorCode(22, "EINVAL")))
                .hasMessage(
                        "releasing "
                                + page
                                + " bytes at 0x"
                                + Long.toHexString(page + 1)
                                + ": EINVAL (22)");
    }

    @Test
    void thePageMapIsReadOnAThreadThatWasInterrupted() throws Refusal {
        withPages(
                1,
                address -> {
                    linux.populate(address, page, callState);
                    Thread.currentThread().interrupt();
                    long[] entries = pageMap(address, 1);
                    LockBudget budget = linux.lockBudget();
                    assertThat(Thread.interrupted()).isTrue();
                    assertThat(entries[0] & PRESENT).isEqualTo(PRESENT);
                    assertThat(budget.softLimitBytes()).isPositive();
                });
    }

    @Test
    void aLockedPageLeadsToAFrameThatIsLockedAndMappedOnce() throws Refusal {
        withPages(
                1,
                address -> {
                    linux.lock(address, page, callState);
                    long frame = pageMap(address, 1)[0] & FRAME_NUMBER;
                    assumeTrue(frame != 0, "frame numbers need CAP_SYS_ADMIN");
                    assumeTrue(
                            Files.isReadable(Path.of("/proc/kpageflags")),
                            "frame flags are for root");
                    assertThat(frameFlags(frame) & MLOCKED).isEqualTo(MLOCKED);
                    MemorySegment count = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
                    linux.readFrameCounts(frame, count, callState);
                    assertThat(count.get(ValueLayout.JAVA_LONG, 0)).isOne();
                });
    }

    @Test
    void framesThatDoNotExistAreRefused() {
        assumeTrue(Files.isReadable(Path.of("/proc/kpageflags")), "frame flags are for root");
        assertThatThrownBy(() -> frameFlags(1L << 50))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContainingAll("/proc/kpageflags", "it ends there");
    }

    @Test
    void pagesBeyondTheAddressSpaceAreRefused() {
        assertThatThrownBy(() -> pageMap(1L << 62, 1))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContaining("/proc/self/pagemap");
    }

    @Test
    void aShortReadGoesOnWhereItStopped() throws Refusal {
        OperatingSystem slow =
                new Linux(
                        new LinuxCalls() {
                            @Override
                            public long pread(
                                    int file,
                                    MemorySegment to,
                                    long bytes,
                                    long at,
                                    MemorySegment state) {
                                return LinuxCalls.super.pread(
                                        file, to, Math.min(bytes, Long.BYTES), at, state);
                            }
                        });
        withPages(
                3,
                address -> {
                    linux.populate(address, 3 * page, callState);
                    MemorySegment entries = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 3);
                    slow.readPageMap(address, entries, callState);
                    assertThat(entries.toArray(ValueLayout.JAVA_LONG))
                            .isEqualTo(pageMap(address, 3));
                });
    }

    @Test
    void availableMemoryIsSomeAndNotMoreThanAll() throws Refusal {
        assertThat(linux.availableBytes()).isBetween(1L << 20, 1L << 50);
    }

    @Test
    @DisplayName("The available memory of a node is some, and not more than there is")
    void availableBytesOfNode_isSomeAndNotMoreThanAll() throws Refusal {
        assumeTrue(
                Files.exists(Path.of("/sys/devices/system/node/node0/meminfo")),
                "skipped: the kernel has no nodes in /sys");
        assertThat(linux.availableBytesOfNode(0)).isBetween(1L << 20, 1L << 50);
    }

    @Test
    void aGuestIsWhatTheProcessorSays() throws Exception {
        boolean flag = Files.readString(Path.of("/proc/cpuinfo")).contains(" hypervisor");
        assertThat(linux.machine())
                .isEqualTo(
                        flag ? OperatingSystem.Machine.VIRTUAL : OperatingSystem.Machine.PHYSICAL);
    }

    /** Counts what is mapped, and can refuse the nth unmapping. */
    private static final class Mappings implements LinuxCalls {
        private long bytes;
        private int unmaps;
        private int failingUnmap;

        @Override
        public long mmap(long address, long size, int protection, int flags, MemorySegment state) {
            bytes += size;
            return LinuxCalls.super.mmap(address, size, protection, flags, state);
        }

        @Override
        public int munmap(long address, long size, MemorySegment state) {
            unmaps++;
            if (unmaps == failingUnmap) {
                return LinuxCalls.super.munmap(address + 1, size, state);
            }
            bytes -= size;
            return LinuxCalls.super.munmap(address, size, state);
        }
    }

    private interface OnPages {
        void accept(long address) throws Refusal;
    }

    private void withPages(long count, OnPages action) throws Refusal {
        long address = linux.reserve(count * page, page, callState);
        linux.commit(address, count * page, callState);
        action.accept(address);
        linux.release(address, count * page, callState);
    }

    private long frameFlags(long frame) throws Refusal {
        MemorySegment flags = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
        linux.readFrameFlags(frame, flags, callState);
        return flags.get(ValueLayout.JAVA_LONG, 0);
    }

    private long[] pageMap(long address, int pages) throws Refusal {
        MemorySegment entries = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, pages);
        linux.readPageMap(address, entries, callState);
        return entries.toArray(ValueLayout.JAVA_LONG);
    }

    /** How much of a range lies in mappings, by /proc/self/maps. */
    private static long mappedBytes(long address, long bytes) throws IOException {
        long sum = 0;
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            String[] range = line.split(" ")[0].split("-");
            long start = Math.max(address, Long.parseUnsignedLong(range[0], 16));
            long end = Math.min(address + bytes, Long.parseUnsignedLong(range[1], 16));
            sum += Math.max(0, end - start);
        }
        return sum;
    }

    private static String permissions(long address) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            String[] fields = line.split(" ");
            String[] range = fields[0].split("-");
            if (Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), address) <= 0
                    && Long.compareUnsigned(address, Long.parseUnsignedLong(range[1], 16)) < 0) {
                return fields[1];
            }
        }
        return "unmapped";
    }

    /** The {@code VmFlags} of the mapping that holds an address. */
    private static String smapsFlags(long address) {
        boolean inside = false;
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
                if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                    String[] range = line.split(" ")[0].split("-");
                    inside =
                            Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), address) <= 0
                                    && Long.compareUnsigned(
                                                    address, Long.parseUnsignedLong(range[1], 16))
                                            < 0;
                } else if (inside && line.startsWith("VmFlags:")) {
                    return line;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return "unmapped";
    }
}
