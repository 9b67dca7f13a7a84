package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;

/** The block that a slab sets aside for the next box. */
class LastFreedBlockTest {

    private static final long BYTES = 10_000;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final SlabHeap heap =
            new SlabHeap(new HeapSettings("tested", 2 << 20, 8 << 20), new SystemChunks(os));

    @AfterEach
    void allGoesBack() {
        assertThat(heap.counters().liveBlocks()).isZero();
        heap.checkInvariants();
        heap.close();
        Await.until("everything given back", () -> os.liveBlocks() == 0);
    }

    @Test
    void block_setAside_countsAsFreeAndComesNext() throws Refusal {
        long block = setAside();
        assertThat(heap.counters().liveBlocks()).isZero();
        heap.checkInvariants();
        assertThat(heap.tryAllocateOwned(BYTES, 8)).isEqualTo(block);
        assertThat(heap.counters().liveBlocks()).isOne();
        heap.freeOwned(block, BYTES, 8);
    }

    @Test
    void block_setAside_isNotFreedAgain() throws Refusal {
        long block = setAside();
        assertThat(heap.tryFree(block)).isFalse();
        assertThat(heap.counters().liveBlocks()).isZero();
    }

    @Test
    void allocate_noOtherBlockIsFree_findsTheBlockSetAside() throws Refusal {
        List<Long> live = new ArrayList<>();
        long last = heap.allocateOwned(BYTES, 8, false);
        Slab slab = heap.slabForOwned(BYTES, 8);
        while (slab.hasFree()) {
            live.add(heap.allocate(BYTES, 8, false));
        }
        long capacity = heap.counters().capacityBytes();
        assertThat(slab.tryFreeOwned(last)).isTrue();
        assertThat(heap.allocate(BYTES, 8, false)).isEqualTo(last);
        assertThat(heap.counters().capacityBytes()).isEqualTo(capacity);
        heap.free(last);
        live.forEach(heap::free);
    }

    @Test
    void trim_byTheOwner_releasesTheSlab() throws Refusal {
        setAside();
        heap.trim();
        assertThat(heap.counters().capacityBytes()).isZero();
    }

    @Test
    void trim_byAnotherThread_isHeardAtTheOwnersNextCall() throws Exception {
        setAside();
        Thread other = Thread.ofPlatform().start(heap::trim);
        other.join();
        assertThat(heap.tryAllocateOwned(BYTES, 8)).isZero();
        heap.freeOwned(heap.allocateOwned(64, 8, false), 64, 8);
        assertThat(heap.counters().classes())
                .noneMatch(of -> of.blockBytes() >= BYTES && of.slabs() > 0);
    }

    @Test
    void trim_ownerIsDead_releasesTheSlab() throws Exception {
        Thread owner =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    try {
                                        setAside();
                                    } catch (Refusal e) {
                                        throw new AssertionError(e);
                                    }
                                });
        owner.join();
        assertThat(heap.counters().liveBlocks()).isZero();
        heap.trim();
        assertThat(heap.counters().capacityBytes()).isZero();
    }

    /** Frees a block as a box does; the owner has no other. */
    private long setAside() throws Refusal {
        long block = heap.allocateOwned(BYTES, 8, false);
        assertThat(heap.slabForOwned(BYTES, 8).tryFreeOwned(block)).isTrue();
        return block;
    }
}
