package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.groups.Tuple.tuple;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocatorStats.Amount;
import dev.kernelalloc.AllocatorStats.SizeClass;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What statistics say of each thing that can be seen in them. */
class StatsTest {

    private static final long LARGE_BYTES = 20L << 20;

    @Test
    void eachSizeHasARowWithItsBlocks() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                blocks.add(pool.allocate(64, 8));
            }
            blocks.add(pool.allocate(1000, 8));

            SizeClass small = row(pool, 64);
            assertThat(small.slabs()).isOne();
            assertThat(small.live()).isEqualTo(3);
            assertThat(small.cached()).isPositive(); // the rest of the slab
            assertThat(small.live() + small.cached() + small.remote() + small.free())
                    .isEqualTo(small.blocks());
            assertThat(row(pool, 1024).live()).isOne();
            assertThat(pool.stats().live()).isEqualTo(new Amount(4, 3 * 64 + 1024));
            blocks.forEach(pool::free);
            assertThat(row(pool, 64).live()).isZero();
        }
    }

    @Test
    void blocksWithoutASizeOfTheirOwnStandApart() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            MemorySegment block = pool.allocate(LARGE_BYTES, 8);
            assertThat(pool.stats().large().live()).isEqualTo(new Amount(1, LARGE_BYTES));
            pool.free(block);
            assertThat(pool.stats().large().live()).isEqualTo(Amount.NONE);
            assertThat(pool.stats().large().free()) // nothing: the trim thread was here first
                    .isIn(new Amount(1, LARGE_BYTES), Amount.NONE);
            pool.trim();
            assertThat(pool.stats().capacity()).isEqualTo(Amount.NONE);
        }
    }

    @Test
    void thePeakIsTheMostThatThereEverWas() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            MemorySegment block = pool.allocate(LARGE_BYTES, 8);
            MemorySegment small = pool.allocate(64, 8);
            long most = pool.stats().capacityBytes();
            assertThat(pool.stats().peakBytes()).isEqualTo(most);
            pool.free(block);
            pool.free(small);
            pool.trim();
            assertThat(pool.stats().capacityBytes()).isZero();
            assertThat(pool.stats().peakBytes()).isEqualTo(most);
        }
    }

    @Test
    void aBlockResizedByTheSystemHeapIsNotCountedTwice() {
        PoolAllocator heap = PoolAllocator.systemHeap();
        long live = heap.stats().liveBytes();
        // More than any test has had, and a multiple of the alignment, as is what is counted.
        long bytes = heap.stats().peakBytes() - live + (1 << 20) & -16;
        MemorySegment block = heap.allocate(bytes, 16);
        assertThat(heap.stats().peakBytes()).isEqualTo(live + bytes);
        block = heap.reallocate(block, bytes + 4096, 16);
        assertThat(heap.stats().peakBytes()).isEqualTo(live + bytes + 4096);
        heap.free(block);
        assertThat(heap.stats().live().bytes()).isEqualTo(live);
    }

    @Test
    void whatLiesInQuarantineIsOfItsSize() {
        try (PoolAllocator pool = PoolAllocator.builder().hardened(true).build()) {
            for (int i = 0; i < 10; i++) {
                pool.free(pool.allocate(48, 8)); // 56 with its canary
            }
            assertThat(row(pool, 56).quarantined()).isEqualTo(10);
            assertThat(pool.stats().quarantined()).isEqualTo(new Amount(10, 560));
            assertThat(pool.stats().live()).isEqualTo(Amount.NONE);
        }
    }

    @Test
    void aBlockThatWasOverrunIsKeptInQuarantine() {
        PoolAllocator pool = PoolAllocator.builder().hardened(true).build();
        for (long bytes : new long[] {48, LARGE_BYTES}) {
            MemorySegment block = pool.allocate(bytes, 8);
            NativeMemory.word(block.address() + bytes, 1);
            assertThatIllegalStateException().isThrownBy(() -> pool.free(block));
        }
        AllocatorStats stats = pool.stats();
        assertThat(row(pool, 56).quarantined()).isOne();
        assertThat(stats.large().quarantined().blocks()).isOne();
        assertThat(stats.live()).isEqualTo(Amount.NONE);
        pool.close();
    }

    // ---- refusals -----------------------------------------------------------------------------

    @Test
    void refusalsAreCountedByReason() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        try (PoolAllocator pool = PoolAllocator.builder().build(os)) {
            os.refuse(Operation.ALIGNED_ALLOC);
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocate(64, 8));
            Optional<MemorySegment> none = pool.tryAllocate(64, 8);
            assertThat(none).isEmpty();
            os.refuse(Operation.ALIGNED_ALLOC, () -> new Refusal.NotPermitted("by the test"));
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocateZeroed(64, 8));
            assertThat(pool.stats().refusals())
                    .containsOnly(
                            Map.entry(AllocationException.Reason.OUT_OF_MEMORY, 2L),
                            Map.entry(AllocationException.Reason.NOT_PERMITTED, 1L));
            assertThat(pool.stats().refusedRequests()).isEqualTo(3);
        }
    }

    @Test
    void aMistakeOfTheCallersIsNoRefusal() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            assertThatIllegalArgumentException().isThrownBy(() -> pool.allocate(-1, 8));
            assertThat(pool.stats().refusals()).isEmpty();
        }
    }

    // ---- memory by kind -----------------------------------------------------------------------

    @Test
    void aPoolHasRangesOfTheSystemHeap() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            assertThat(pool.stats().chunks()).isEmpty();
            MemorySegment block = pool.allocate(64, 8);
            assertThat(pool.stats().chunks())
                    .singleElement()
                    .satisfies(
                            chunk -> {
                                assertThat(chunk.kind()).isEqualTo(MemoryKind.SYSTEM_HEAP);
                                assertThat(chunk.guarantees()).isEmpty();
                                assertThat(chunk.count()).isOne();
                                assertThat(chunk.bytes()).isEqualTo(64L << 20);
                            });
            pool.free(block);
        }
    }

    @Test
    void physicalMemoryIsToldByTheWayItWasHadAndWhatItReached() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        os.poolPages(4);
        PhysicalAllocator physical = PhysicalAllocator.builder().build(os);
        MemorySegment base = physical.allocate(64, 8);
        MemorySegment huge =
                physical.allocate(
                        PhysicalRequest.builder().size(1000).pages(PagePolicy.HUGE_2M).build());
        MemorySegment pinned =
                physical.allocate(
                        PhysicalRequest.builder()
                                .size(4096)
                                .pages(PagePolicy.BASE)
                                .atLeast(Guarantee.NEVER_MOVED)
                                .build());
        assertThat(physical.stats().chunks())
                .extracting(
                        AllocatorStats.Chunks::kind,
                        AllocatorStats.Chunks::guarantees,
                        AllocatorStats.Chunks::count)
                .containsExactlyInAnyOrder(
                        tuple(MemoryKind.BASE_PAGES, Guarantee.NEVER_SWAPPED, 1L),
                        tuple(MemoryKind.BASE_PAGES, Guarantee.NEVER_MOVED, 1L),
                        tuple(MemoryKind.POOL_2M, Guarantee.NEVER_SWAPPED_AND_HUGE, 1L));
        assertThat(physical.stats().liveBlocks()).isEqualTo(3);
        assertThat(physical.stats().large().live().blocks()).isEqualTo(2);
        assertThat(physical.stats().peakBytes()).isEqualTo(physical.stats().capacityBytes());
        List.of(base, huge, pinned).forEach(physical::free);
        physical.close();
        assertThat(physical.stats().chunks()).isEmpty();
        os.assertNothingLeaked();
    }

    @Test
    void theKernelLocksWhatIsSaidToBeReserved() {
        assumeTrue(LinuxProcess.isThis(), "skipped: reads /proc");
        long before = LinuxProcess.lockedBytes();
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                Arena arena = physical.arena()) {
            arena.allocate(100_000);
            assertThat(physical.stats().reservedBytes())
                    .isEqualTo(LinuxProcess.lockedBytes() - before);
        }
    }

    // ---- the process --------------------------------------------------------------------------

    @Test
    void twoSnapshotsOfAnIdleAllocatorAreEqual() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            AllocatorStats before = pool.stats();
            assertThat(pool.stats()).isEqualTo(before).hasSameHashCodeAs(before);
            MemorySegment block = pool.allocate(64, 8);
            assertThat(pool.stats()).isNotEqualTo(before);
            pool.free(block);
        }
    }

    @Test
    void allocatorsWithOneTagAreAddedUp() {
        try (PoolAllocator first = PoolAllocator.builder().tag("added up").build();
                PoolAllocator second = PoolAllocator.builder().tag("added up").build();
                PhysicalAllocator third = PhysicalAllocator.builder().tag("added up").build()) {
            List<KernelAllocator> all = List.of(first, second, third);
            List<MemorySegment> blocks = new ArrayList<>();
            all.forEach(allocator -> blocks.add(allocator.allocate(64, 8)));

            AllocatorStats sum = ofTag("added up").orElseThrow();
            assertThat(sum.allocators()).isEqualTo(3);
            assertThat(sum.live()).isEqualTo(new Amount(3, 192));
            assertThat(sum.capacityBytes())
                    .isEqualTo(all.stream().mapToLong(one -> one.stats().capacityBytes()).sum());
            assertThat(sum.sizeClasses()).singleElement().extracting(SizeClass::live).isEqualTo(3L);
            assertThat(sum.chunks())
                    .extracting(AllocatorStats.Chunks::kind)
                    .containsExactlyInAnyOrder(MemoryKind.SYSTEM_HEAP, MemoryKind.BASE_PAGES);
            for (int i = 0; i < 3; i++) {
                all.get(i).free(blocks.get(i));
            }
        }
        assertThat(ofTag("added up")).isEmpty();
    }

    @Test
    void aClosedAllocatorIsToldOfForAsLongAsItHasMemory() {
        PoolAllocator pool = PoolAllocator.builder().tag("outlived").build();
        MemorySegment block = pool.allocate(64, 8);
        assertThatExceptionOfType(LiveBlocksException.class).isThrownBy(pool::close);
        assertThat(ofTag("outlived").orElseThrow().liveBlocks()).isOne();
        pool.free(block);
        assertThat(ofTag("outlived")).isEmpty();
    }

    @Test
    void beingKnownKeepsNoAllocatorAlive() {
        makeAndDrop();
        Await.until(
                "forgotten",
                () -> {
                    System.gc();
                    return ofTag("dropped").isEmpty();
                });
    }

    private static void makeAndDrop() {
        PoolAllocator dropped = PoolAllocator.builder().tag("dropped").build();
        assertThat(ofTag("dropped")).isPresent();
        assertThat(dropped.stats().allocators()).isOne();
    }

    // ---- for people ---------------------------------------------------------------------------

    @Test
    void theTableHasWhatThereIs() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        PoolAllocator pool = PoolAllocator.builder().tag("shown").build(os);
        MemorySegment small = pool.allocate(64, 8);
        MemorySegment large = pool.allocate(LARGE_BYTES, 8);
        os.refuse(Operation.ALIGNED_ALLOC);
        assertThat(pool.tryAllocate(LARGE_BYTES, 8)).isEmpty();
        assertThat(pool.stats().describe().lines().map(line -> line.replaceAll(" +", " ")))
                .contains(
                        "'shown'",
                        "live 2 20,971,584",
                        "larger 1 0 0",
                        "the system heap 2 88,080,384 nothing",
                        "OUT_OF_MEMORY 1")
                .anyMatch(line -> line.matches("64 1 1 \\d+ 0 [\\d,]+ 0"));
        assertThat(pool.stats().toString())
                .startsWith("shown: 2 live blocks of 20971584 bytes, capacity ")
                .endsWith(", refused OUT_OF_MEMORY=1");
        os.allow(Operation.ALIGNED_ALLOC);
        pool.free(small);
        pool.free(large);
        pool.close();
    }

    private static SizeClass row(KernelAllocator allocator, long blockBytes) {
        return allocator.stats().sizeClasses().stream()
                .filter(one -> one.blockBytes() == blockBytes)
                .findFirst()
                .orElseThrow();
    }

    private static Optional<AllocatorStats> ofTag(String tag) {
        return AllocatorStats.byTag().stream().filter(one -> one.tag().equals(tag)).findFirst();
    }
}
