package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.GuardedChunks;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Laws that hold for every sequence of requests to every allocator. */
class AllocatorPropertiesTest {

    enum Kind {
        POOL(PoolAllocator.create()),
        HARDENED_POOL(PoolAllocator.builder().hardened(true).build()),
        UNCACHED_POOL(PoolAllocator.builder().cacheBytes(0, 0).build()),
        GUARDED_POOL(PackageAccess.build(PoolAllocator.builder(), new GuardedChunks())),
        SYSTEM_HEAP(PoolAllocator.systemHeap()),
        PHYSICAL(PhysicalAllocator.create());

        private final KernelAllocator allocator;

        Kind(KernelAllocator allocator) {
            this.allocator = allocator;
        }

        KernelAllocator allocator() {
            return allocator;
        }

        /** Whether more is taken for a block than may be used of it. */
        boolean keepsCanaries() {
            return this == HARDENED_POOL;
        }
    }

    record Request(int size, int alignment) {}

    @Provide
    Arbitrary<List<Request>> requests() {
        Arbitrary<Integer> sizes = Arbitraries.integers().between(0, 20_000);
        Arbitrary<Integer> alignments = Arbitraries.integers().between(0, 14).map(bit -> 1 << bit);
        return Combinators.combine(sizes, alignments).as(Request::new).list().ofMaxSize(40);
    }

    @Property
    void blocksAreAlignedDoNotOverlapAndKeepTheirContents(
            @ForAll Kind kind, @ForAll("requests") List<Request> requests) {
        KernelAllocator allocator = kind.allocator();
        AllocatorStats before = allocator.stats();
        List<MemorySegment> blocks = new ArrayList<>();
        for (Request request : requests) {
            MemorySegment block = allocator.allocate(request.size(), request.alignment());
            assertThat(block.byteSize()).isEqualTo(request.size());
            assertThat(block.address() % request.alignment()).isZero();
            block.fill((byte) blocks.size());
            blocks.add(block);
        }
        assertDisjoint(blocks);
        for (int i = 0; i < blocks.size(); i++) {
            assertFilled(blocks.get(i), i);
        }
        AllocatorStats during = allocator.stats();
        assertThat(during.liveBlocks() - before.liveBlocks()).isEqualTo(blocks.size());
        long usable = blocks.stream().mapToLong(allocator::usableSize).sum();
        if (kind.keepsCanaries()) {
            assertThat(during.liveBytes() - before.liveBytes())
                    .isGreaterThanOrEqualTo(usable + 8L * blocks.size());
        } else {
            assertThat(during.liveBytes() - before.liveBytes()).isEqualTo(usable);
        }
        blocks.forEach(allocator::free);
        assertThat(allocator.stats().liveBlocks()).isEqualTo(before.liveBlocks());
        assertThat(allocator.stats().liveBytes()).isEqualTo(before.liveBytes());
    }

    @Property
    void reallocationKeepsContentsUpToTheSmallerSize(
            @ForAll Kind kind, @ForAll("requests") List<Request> requests) {
        KernelAllocator allocator = kind.allocator();
        MemorySegment block = allocator.allocate(100, 8);
        block.fill((byte) 1);
        long kept = 100;
        for (Request request : requests) {
            block = allocator.reallocate(block, request.size(), request.alignment());
            assertThat(block.byteSize()).isEqualTo(request.size());
            assertThat(block.address() % request.alignment()).isZero();
            kept = Math.min(kept, request.size());
            assertFilled(block.asSlice(0, kept), 1);
        }
        allocator.free(block);
    }

    @Property
    void zeroedMemoryIsZeroWhateverWasThereBefore(
            @ForAll Kind kind, @ForAll("requests") List<Request> requests) {
        KernelAllocator allocator = kind.allocator();
        for (Request request : requests) {
            MemorySegment dirty = allocator.allocate(request.size(), request.alignment());
            dirty.fill((byte) -1);
            allocator.free(dirty);
            MemorySegment block = allocator.allocateZeroed(request.size(), request.alignment());
            assertFilled(block, 0);
            allocator.free(block);
        }
    }

    @Property
    void anArenaGivesZeroedDisjointSegmentsAndFreesThemAll(
            @ForAll Kind kind, @ForAll("requests") List<Request> requests) {
        KernelAllocator allocator = kind.allocator();
        long before = allocator.stats().liveBlocks();
        try (Arena arena = allocator.arena()) {
            List<MemorySegment> segments = new ArrayList<>();
            for (Request request : requests) {
                MemorySegment segment = arena.allocate(request.size(), request.alignment());
                assertThat(segment.byteSize()).isEqualTo(request.size());
                assertThat(segment.address() % request.alignment()).isZero();
                assertFilled(segment, 0);
                segment.fill((byte) -1);
                segments.add(segment);
            }
            assertDisjoint(segments);
        }
        assertThat(allocator.stats().liveBlocks()).isEqualTo(before);
    }

    private static void assertDisjoint(List<MemorySegment> blocks) {
        List<MemorySegment> sorted =
                blocks.stream().sorted(Comparator.comparing(MemorySegment::address)).toList();
        for (int i = 1; i < sorted.size(); i++) {
            MemorySegment below = sorted.get(i - 1);
            assertThat(below.address() + Math.max(1, below.byteSize()))
                    .isLessThanOrEqualTo(sorted.get(i).address());
        }
    }

    private static void assertFilled(MemorySegment block, int value) {
        for (byte found : block.toArray(ValueLayout.JAVA_BYTE)) {
            if (found != (byte) value) {
                throw new AssertionError("expected " + value + " in " + block + ", was " + found);
            }
        }
    }
}
