package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.pool.AllocatorContract;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

class PhysicalAllocatorTest extends AllocatorContract {

    private static final long PAGE_BYTES = 4096;

    /** Of the 8 MiB that a process may lock by default, what tests before may go on holding. */
    private static final long LEFT_BYTES = 4 << 20;

    /** What closed allocators' threads had cached is unlocked soon after they have died. */
    @Override
    protected void awaitRoom() {
        if (OS.LINUX.isCurrentOs()) {
            Await.until("earlier tests leave room", () -> LinuxProcess.lockedBytes() <= LEFT_BYTES);
        }
    }

    @Override
    protected KernelAllocator make() {
        return PhysicalAllocator.create();
    }

    @Test
    void blocksOfAllSizesAreLockedAndNothingIsOnceTheyAreGone() {
        assumeLinux();
        long lockedBefore = LinuxProcess.lockedBytes();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            for (long bytes : new long[] {1, 64, PAGE_BYTES, 100_000, 3 << 20}) {
                MemorySegment block = physical.allocate(bytes, 1);
                assertThat(physical.guarantee(block))
                        .contains(Guarantee.RESIDENT, Guarantee.LOCKED);
                assertThat(LinuxProcess.lockedBytes() - lockedBefore).isGreaterThanOrEqualTo(bytes);
                physical.free(block);
            }
        }
        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
    }

    @Test
    void smallBlocksShareAPage() {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment first = physical.allocate(64, 64);
            MemorySegment second = physical.allocate(64, 64);
            assertThat(first.address() / PAGE_BYTES).isEqualTo(second.address() / PAGE_BYTES);
            physical.free(first);
            physical.free(second);
        }
    }

    @Test
    void memoryThatNoBlockUsesIsUnmapped() {
        assumeLinux();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block = physical.allocate(PAGE_BYTES, 1);
            assertThat(LinuxProcess.isMapped(block.address())).isTrue();
            physical.free(block);
            physical.trim();
            assertThat(LinuxProcess.isMapped(block.address())).isFalse();
        }
    }

    @Test
    void aChildProcessDoesNotGetThePagesAndNothingMergesOrExecutesThem() {
        assumeLinux();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block = physical.allocate(PAGE_BYTES, 1);
            assertThat(LinuxProcess.mappingFlags(block.address()))
                    .contains("dc", "lo", "rd", "wr")
                    .doesNotContain("ex", "mg");
            physical.free(block);
        }
    }

    @Test
    void addressesAreThoseOfAFreshPageMap() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesVisible();
                    try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                        MemorySegment block = physical.allocate(64 * PAGE_BYTES, 1);
                        for (long offset = 0; offset < block.byteSize(); offset += 1000) {
                            PhysicalAddress address = physical.addressOf(block.asSlice(offset, 1));
                            assertThat(address.value())
                                    .isEqualTo(
                                            LinuxProcess.physicalAddress(block.address() + offset));
                            assertThat(address.scope())
                                    .isEqualTo(
                                            LinuxProcess.isGuest()
                                                    ? PhysicalAddress.Scope.GUEST
                                                    : PhysicalAddress.Scope.HOST);
                        }
                        physical.free(block);
                    }
                });
    }

    @Test
    void theKernelConfirmsThatAFrameIsLockedAndPrivate() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesVisible();
                    try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                        MemorySegment block = physical.allocate(PAGE_BYTES, 1);
                        FrameReport report = physical.inspect(block);
                        assertThat(report.address()).isEqualTo(physical.addressOf(block));
                        assertThat(report.isLocked()).isTrue();
                        assertThat(report.mappings()).isEqualTo(1);
                        assertThat(report.kind()).isEqualTo(PageKind.BASE);
                        assertThat(report.flags())
                                .contains(FrameFlag.ANON, FrameFlag.MMAP)
                                .doesNotContain(
                                        FrameFlag.ZERO_PAGE, FrameFlag.BUDDY, FrameFlag.KSM);
                        physical.free(block);
                    }
                });
    }

    @Test
    void theKernelsLimitOfMappingsIsAnExceptionAndNotTheEndOfTheJvm() throws Exception {
        assumeFramesVisible();
        String output =
                ChildJvm.onModulePath().withNativeAccess().outputOf(AllocateUntilRefused.class);
        assertThat(output)
                .contains("OUT_OF_MEMORY", "vm.max_map_count")
                .contains("works again, 0 blocks left");
    }

    static final class AllocateUntilRefused {
        private AllocateUntilRefused() {}

        static void main() {
            PhysicalAllocator physical = PhysicalAllocator.create();
            List<MemorySegment> blocks = new ArrayList<>();
            try {
                while (true) {
                    blocks.add(physical.allocate(PhysicalRequest.ofBytes(1).build()));
                }
            } catch (AllocationException e) {
                IO.println(e.reason() + " " + e.getMessage());
            }
            blocks.forEach(physical::free);
            physical.free(physical.allocate(1, 1));
            IO.println("works again, %d blocks left".formatted(physical.stats().liveBlocks()));
            physical.close();
        }
    }

    @Test
    void addressesOfOtherMemoryAreRefused() {
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                Arena arena = Arena.ofConfined()) {
            MemorySegment block = physical.allocate(PAGE_BYTES, 1);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> physical.addressOf(arena.allocate(8)))
                    .withMessageContaining("not memory of this allocator");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> physical.addressOf(MemorySegment.ofArray(new byte[8])))
                    .withMessageContaining("Java heap");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> physical.inspect(arena.allocate(8)));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> physical.guarantee(arena.allocate(8)));
            MemorySegment beyond = MemorySegment.ofAddress(block.address() + (1L << 40));
            assertThatIllegalArgumentException().isThrownBy(() -> physical.addressOf(beyond));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> physical.addressOf(MemorySegment.ofAddress(-1)));
            physical.free(block);
            physical.trim();
            assertThatIllegalArgumentException().isThrownBy(() -> physical.addressOf(block));
        }
    }

    @Test
    void theAddressOfAClosedSegmentIsRefused() {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment segment;
            try (Arena arena = physical.arena()) {
                segment = arena.allocate(8);
            }
            assertThatIllegalStateException().isThrownBy(() -> physical.addressOf(segment));
        }
    }

    private static void assumeLinux() {
        assumeTrue(LinuxProcess.isThis(), "skipped: /proc is Linux's");
    }

    private static void assumeFramesVisible() {
        assumeLinux();
        assumeTrue(
                LinuxProcess.seesFrames(),
                "skipped: frame numbers are hidden, this process lacks CAP_SYS_ADMIN");
    }
}
