package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Laws that hold for every sequence of requests to every arena. */
class ArenaPropertiesTest {

    enum Kind {
        POOL_CONFINED,
        POOL_SHARED,
        SYSTEM_HEAP_CONFINED,
        PHYSICAL_CONFINED,
        PHYSICAL_SHARED;

        private static final PoolAllocator POOL = PoolAllocator.create();
        private static final PhysicalAllocator PHYSICAL = PhysicalAllocator.create();

        KernelAllocator allocator() {
            return switch (this) {
                case POOL_CONFINED, POOL_SHARED -> POOL;
                case SYSTEM_HEAP_CONFINED -> PoolAllocator.systemHeap();
                case PHYSICAL_CONFINED, PHYSICAL_SHARED -> PHYSICAL;
            };
        }

        Arena open() {
            return switch (this) {
                case POOL_CONFINED, SYSTEM_HEAP_CONFINED, PHYSICAL_CONFINED -> allocator().arena();
                case POOL_SHARED, PHYSICAL_SHARED -> allocator().sharedArena();
            };
        }
    }

    /** A request for zeros, or for a segment made of {@code size} bytes of -1. */
    record Request(int size, int alignment, boolean zeroed) {

        MemorySegment of(Arena arena) {
            if (zeroed) {
                return arena.allocate(size, alignment);
            }
            byte[] ones = new byte[size];
            Arrays.fill(ones, (byte) -1);
            return arena.allocateFrom(ValueLayout.JAVA_BYTE, ones);
        }
    }

    @Provide
    Arbitrary<List<Request>> requests() {
        Arbitrary<Integer> small = Arbitraries.integers().between(0, 300);
        Arbitrary<Integer> any = Arbitraries.integers().between(0, 40_000);
        Arbitrary<Integer> sizes = Arbitraries.frequencyOf(Tuple.of(4, small), Tuple.of(1, any));
        Arbitrary<Integer> alignments =
                Arbitraries.frequencyOf(
                        Tuple.of(3, Arbitraries.of(1, 2, 4, 8, 16)),
                        Tuple.of(1, Arbitraries.integers().between(0, 14).map(bit -> 1 << bit)));
        return Combinators.combine(sizes, alignments, Arbitraries.of(true, true, false))
                .as(Request::new)
                .list()
                .ofMaxSize(80);
    }

    /** Twice: the second arena finds what the first has left behind. */
    @Property
    void segmentsAreAlignedZeroDisjointAndAllGivenBack(
            @ForAll Kind kind, @ForAll("requests") List<Request> requests) {
        AllocatorStats before = kind.allocator().stats();
        for (int round = 0; round < 2; round++) {
            try (Arena arena = kind.open()) {
                List<MemorySegment> segments = new ArrayList<>();
                for (Request request : requests) {
                    MemorySegment segment = request.of(arena);
                    assertThat(segment.byteSize()).isEqualTo(request.size());
                    if (request.zeroed()) {
                        assertThat(segment.address() % request.alignment()).isZero();
                    }
                    byte expected = (byte) (request.zeroed() ? 0 : -1);
                    assertThat(ArenaContract.firstOtherThan(segment, expected)).isEqualTo(-1);
                    segment.fill((byte) segments.size());
                    segments.add(segment);
                }
                ArenaContract.assertDisjoint(segments);
                for (int i = 0; i < segments.size(); i++) {
                    assertThat(ArenaContract.firstOtherThan(segments.get(i), (byte) i))
                            .isEqualTo(-1);
                    segments.get(i).fill((byte) -1);
                }
                AllocatorStats during = kind.allocator().stats();
                assertThat(during.liveBytes() - before.liveBytes())
                        .isGreaterThanOrEqualTo(requests.stream().mapToLong(Request::size).sum());
            }
            AllocatorStats after = kind.allocator().stats();
            assertThat(after.liveBlocks()).isEqualTo(before.liveBlocks());
            assertThat(after.liveBytes()).isEqualTo(before.liveBytes());
        }
    }

    /** Blocks are few, and what is taken is bounded by what was asked for. */
    @Property
    void anArenaTakesLittleMoreThanItWasAskedFor(
            @ForAll Kind kind, @ForAll("requests") List<Request> requests) {
        AllocatorStats before = kind.allocator().stats();
        try (Arena arena = kind.open()) {
            long asked = 0;
            long pages = 1; // each block may be rounded up to one
            for (Request request : requests) {
                request.of(arena);
                asked += request.size() + 8L + request.alignment();
                pages += kind.allocator() instanceof PhysicalAllocator ? 1 : 0;
            }
            long taken = kind.allocator().stats().liveBytes() - before.liveBytes();
            assertThat(taken).isLessThanOrEqualTo(4 * asked + pages * 4096);
        }
    }
}
