package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.FakeOperatingSystem;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/** A slab by itself: what lies at an address, and where its blocks are. */
class SlabTest {

    private static final ChunkSource CHUNKS = new SystemChunks(new FakeOperatingSystem());
    private static final int[] UNGUARDED = {};

    private static Slab slab(SlabShape shape, long address) {
        return new Slab(shape, address, true, false, UNGUARDED);
    }

    @Provide
    Arbitrary<Slab> slabs() {
        return Combinators.combine(
                        Arbitraries.integers().between(0, SizeClasses.COUNT - 1),
                        Arbitraries.longs().between(1, 1L << 40).map(granule -> granule << 16))
                .as((sizeClass, address) -> slab(SlabShape.of(sizeClass, CHUNKS, 0), address));
    }

    @Property(tries = 2000)
    @Label("an address has an index below the number of blocks if and only if a block starts there")
    void indexOf_isExact(@ForAll("slabs") Slab slab, @ForAll long any, @ForAll int near) {
        for (long address : new long[] {any, slab.address + near, slab.first + near % 100_000L}) {
            long offset = address - slab.first;
            boolean starts =
                    offset >= 0
                            && offset % slab.stride == 0
                            && offset / slab.stride < slab.blocks();
            assertThat(slab.has(slab.indexOf(address))).isEqualTo(starts);
        }
    }

    @Example
    @Label("every block of every class has its index, and its neighbours' bytes have none")
    void indexOf_everyBlockOfEveryClass_isItsNumber() {
        for (int sizeClass = 0; sizeClass < SizeClasses.COUNT; sizeClass++) {
            Slab slab = slab(SlabShape.of(sizeClass, CHUNKS, 0), 1L << 40);
            for (int i = 0; i < slab.blocks(); i++) {
                assertThat(slab.indexOf(slab.blockAt(i))).isEqualTo(i);
                assertThat(slab.has(slab.indexOf(slab.blockAt(i) + 1))).isFalse();
                assertThat(slab.has(slab.indexOf(slab.blockAt(i) - 1))).isFalse();
            }
            assertThat(slab.has(slab.indexOf(slab.blockAt(slab.blocks())))).isFalse();
            assertThat(slab.has(slab.indexOf(slab.blockAt(-1)))).isFalse();
        }
    }

    @Property(tries = 200)
    @Label("odd strides, shifted by any number of places, are exact too")
    void indexOf_ofAnyStride_isExact(
            @ForAll("strides") int stride,
            @ForAll long any,
            @ForAll @IntRange(min = -2, max = 2) int near,
            @ForAll @IntRange(min = 1, max = 64) int blocks) {
        Slab slab = slab(new SlabShape(0, stride, 0, 1, blocks), 1L << 40);
        assertIsExact(slab, any);
        for (int block = -1; block <= blocks; block++) {
            assertIsExact(slab, slab.blockAt(block) + near);
        }
    }

    private static void assertIsExact(Slab slab, long address) {
        long offset = address - slab.first;
        long block = Math.floorDiv(offset, slab.stride);
        boolean starts = offset % slab.stride == 0 && block >= 0 && block < slab.blocks();
        assertThat(slab.has(slab.indexOf(address))).isEqualTo(starts);
        if (starts) {
            assertThat(slab.indexOf(address)).isEqualTo(block);
        }
    }

    @Provide
    Arbitrary<Integer> strides() {
        return Combinators.combine(
                        Arbitraries.integers().between(0, 1 << 12),
                        Arbitraries.integers().between(0, 17))
                .as((odd, shift) -> 2 * odd + 1 << shift);
    }

    @Property(tries = 50)
    @Label("blocks in random order are all blocks, once")
    void pop_whereShuffled_isEveryBlockOnce(@ForAll("slabs") Slab like) {
        SlabShape shape = SlabShape.of(like.sizeClass, CHUNKS, 0);
        Slab slab = new Slab(shape, like.address, true, true, UNGUARDED);
        slab.checkInvariants();
        Set<Long> seen = new HashSet<>();
        while (slab.hasFree()) {
            long block = slab.pop(Slab.RAW);
            assertThat(block & Blocks.ZEROED).isEqualTo(Blocks.ZEROED);
            seen.add(block & Blocks.ADDRESS);
        }
        assertThat(seen).hasSize(slab.blocks());
        slab.checkInvariants();
    }

    @Example
    @Label("a block is zeros until it was used, and not again")
    void pop_ofAUsedBlock_isNotZeros() {
        Slab slab = slab(SlabShape.of(SizeClasses.of(64, 8), CHUNKS, 0), 1L << 40);
        long first = slab.pop(Slab.RAW);
        assertThat(first & Blocks.ZEROED).isEqualTo(Blocks.ZEROED);
        slab.push(0);
        assertThat(slab.pop(Slab.RAW)).isEqualTo(first & Blocks.ADDRESS);
        assertThat(slab.pop(Slab.RAW) & Blocks.ZEROED).isEqualTo(Blocks.ZEROED);
    }

    @Example
    @Label("a broken free list is made anew from the states")
    void relist_ofABrokenList_findsEveryFreeBlock() {
        Slab slab = slab(SlabShape.of(SizeClasses.of(64, 8), CHUNKS, 0), 1L << 40);
        IntStream.range(0, 10).forEach(_ -> slab.pop(Slab.RAW));
        slab.push(3);
        slab.head = Slab.RAW; // what a list shows that leads into a live block
        assertThat(slab.hasFree()).isFalse();
        slab.relist();
        slab.checkInvariants();
        assertThat(slab.used()).isEqualTo(9);
    }

    @Property(tries = 200)
    @Label("a current slab is not counted until it is one no longer")
    void place_afterCurrent_countsWhatIsUsed(@ForAll long seed, @ForAll("sizes") int operations) {
        Slab slab = slab(SlabShape.of(SizeClasses.of(512, 8), CHUNKS, 0), 1L << 40);
        Random random = new Random(seed);
        Deque<Integer> live = new ArrayDeque<>();
        live.add((int) slab.indexOf(slab.pop(Slab.OWNED) & Blocks.ADDRESS));
        slab.setQueue(Slab.Queue.CURRENT);
        for (int i = 0; i < operations; i++) {
            if (slab.hasFree() && random.nextInt(3) > 0) {
                live.add(slab.popOwned() & Slab.INDEX);
            } else if (!live.isEmpty()) {
                assertThat(slab.tryPush(slab.link, live.remove())).isTrue();
            }
        }
        assertThat(slab.used()).isEqualTo(live.size());
        slab.setQueue(Slab.Queue.PARTIAL);
        assertThat(slab.used()).isEqualTo(live.size());
        slab.checkInvariants();
        while (live.size() > 1) {
            assertThat(slab.tryPush(slab.link, live.remove())).isTrue();
        }
        assertThat(live.isEmpty() || !slab.tryPush(slab.link, live.remove()))
                .as("the last one is for the owner to settle")
                .isTrue();
    }

    @Provide
    Arbitrary<Integer> sizes() {
        return Arbitraries.integers().between(0, 500);
    }

    /** As when the owner frees a block while another thread does, and hands it out again. */
    @Example
    @Label("a block that two threads have freed is collected once")
    void collect_ofABlockFreedTwice_losesNone() {
        Slab slab = slab(SlabShape.of(SizeClasses.of(64, 8), CHUNKS, 0), 1L << 40);
        IntStream.range(0, 100).forEach(_ -> slab.pop(Slab.RAW));
        for (int index : new int[] {5, 7, 9, 7, 11}) {
            slab.change(index, Slab.RAW, Slab.REMOTE);
            slab.addRemote(index);
        }
        slab.collect();
        slab.checkInvariants();
        assertThat(slab.used()).isEqualTo(96);
    }

    @Example
    @Label("what a racing free has added for a block that is live again is passed over")
    void collect_ofALiveBlock_leavesItLive() {
        Slab slab = slab(SlabShape.of(SizeClasses.of(64, 8), CHUNKS, 0), 1L << 40);
        IntStream.range(0, 100).forEach(_ -> slab.pop(Slab.RAW));
        slab.addRemote(4);
        slab.change(6, Slab.RAW, Slab.REMOTE);
        slab.addRemote(6);
        slab.collect();
        assertThat(slab.stateOf(4)).isEqualTo(Slab.RAW);
        assertThat(slab.used()).isEqualTo(99);
        slab.checkInvariants();
    }
}
