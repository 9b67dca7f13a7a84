package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.function.LongConsumer;

/** What is asked for as zeros is zeros, whatever stood there before and whichever way it came. */
class ZeroedBlocksTest {

    private static final int MAX_BYTES = 24 << 20;

    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[MAX_BYTES]);

    /** Fresh, then from the cache of the thread, or the one of large blocks. */
    @ParameterizedTest
    @EnumSource
    void ofEverySizeWhenNewAndWhenUsedAgain(PoolKind kind) {
        try (PoolAllocator pool = kind.make()) {
            forEachSize(
                    bytes -> {
                        for (int round = 0; round < 2; round++) {
                            MemorySegment block = pool.allocateZeroed(bytes, 8);
                            assertZeros(block);
                            pool.free(block.fill((byte) -1));
                        }
                    });
        }
    }

    /** More than a cache holds, freed by one thread, taken by another. */
    @ParameterizedTest
    @EnumSource
    void whereBlocksTravelBetweenThreads(PoolKind kind) throws Exception {
        try (PoolAllocator pool = kind.make()) {
            for (int bytes : new int[] {8, 64, 200, 1000, 5000, 20_000}) {
                List<MemorySegment> dirty = new ArrayList<>();
                for (int i = 0; i < 600; i++) {
                    dirty.add(pool.allocate(bytes, 8).fill((byte) -1));
                }
                inAnotherThread(() -> dirty.forEach(pool::free));
                List<MemorySegment> zeroed = new ArrayList<>();
                for (int i = 0; i < 900; i++) {
                    MemorySegment block = pool.allocateZeroed(bytes, 8);
                    assertZeros(block);
                    zeroed.add(block.fill((byte) -1));
                }
                zeroed.forEach(pool::free);
            }
        }
    }

    /** Every second block stays alive, so slabs stay while their free pages go. */
    @ParameterizedTest
    @EnumSource
    void afterPagesHaveGoneBack(PoolKind kind) throws Exception {
        try (PoolAllocator pool = kind.make()) {
            int bytes = 16 << 10;
            List<MemorySegment> kept = new ArrayList<>();
            List<MemorySegment> freed = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                (i % 2 == 0 ? kept : freed).add(pool.allocate(bytes, 8).fill((byte) -1));
            }
            inAnotherThread(() -> freed.forEach(pool::free));
            pool.trim();
            List<MemorySegment> again = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                MemorySegment block = pool.allocateZeroed(bytes, 8);
                assertZeros(block);
                again.add(block);
            }
            for (MemorySegment block : kept) {
                assertThat(block.toArray(ValueLayout.JAVA_BYTE)).containsOnly(-1);
            }
            kept.forEach(pool::free);
            again.forEach(pool::free);
        }
    }

    /** Small segments are cut from chunks that were dirty blocks before, large ones have blocks. */
    @ParameterizedTest
    @EnumSource
    void inArenas(PoolKind kind) {
        try (PoolAllocator pool = kind.make()) {
            for (int round = 0; round < 20; round++) {
                for (boolean shared : new boolean[] {false, true}) {
                    try (Arena arena = shared ? pool.sharedArena() : pool.arena()) {
                        for (int bytes = 1; bytes < 200_000; bytes = bytes * 3 / 2 + 1) {
                            MemorySegment segment = arena.allocate(bytes, 8);
                            assertZeros(segment);
                            segment.fill((byte) -1);
                        }
                    }
                }
            }
        }
    }

    // ---- what they share ----------------------------------------------------------------------

    /** One of each class, and beyond. */
    private static void forEachSize(LongConsumer use) {
        for (long bytes = 8;
                bytes <= MAX_BYTES;
                bytes += Math.max(8, Long.highestOneBit(bytes) / 8)) {
            use.accept(bytes);
        }
    }

    private static void assertZeros(MemorySegment block) {
        assertThat(block.mismatch(ZEROS.asSlice(0, block.byteSize()))).isEqualTo(-1);
    }

    private static void inAnotherThread(Runnable work) throws Exception {
        FutureTask<Void> task = new FutureTask<>(work, null);
        Thread thread = Thread.ofPlatform().start(task);
        task.get();
        thread.join();
    }
}
