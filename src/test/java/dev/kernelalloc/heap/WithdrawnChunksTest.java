package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/** A chunk that has lost what was asked of it serves no new block, whoever has its slabs. */
class WithdrawnChunksTest {

    private static final long BLOCK_BYTES = 256;
    private static final long LARGE_BYTES = 3 << 20;
    private static final int MANY = 3_000;

    private final LosableChunks source =
            new LosableChunks(new SystemChunks(new FakeOperatingSystem()));
    private final SlabHeap heap = new SlabHeap(new HeapSettings("heap", 2 << 20, 8 << 20), source);

    /** Chunks that stop serving when the test says so. */
    private static final class LosableChunks implements ChunkSource {

        private final ChunkSource source;
        private final Set<Chunk> out = ConcurrentHashMap.newKeySet();
        private final Set<Chunk> lost = ConcurrentHashMap.newKeySet();

        LosableChunks(ChunkSource source) {
            this.source = source;
        }

        void loseAll() {
            lost.addAll(out);
        }

        boolean hasLost() {
            return !lost.isEmpty();
        }

        boolean isLost(long address) {
            return lost.stream()
                    .anyMatch(
                            chunk ->
                                    Long.compareUnsigned(address - chunk.address(), chunk.bytes())
                                            < 0);
        }

        @Override
        public boolean serves(Chunk chunk) {
            return !lost.contains(chunk);
        }

        @Override
        public Chunk obtain(long bytes, long alignment) throws Refusal {
            Chunk chunk = source.obtain(bytes, alignment);
            out.add(chunk);
            return chunk;
        }

        @Override
        public void release(Chunk chunk) {
            out.remove(chunk);
            lost.remove(chunk);
            source.release(chunk);
        }

        @Override
        public boolean discard(long address, long bytes) {
            return source.discard(address, bytes);
        }

        @Override
        public long pageBytes() {
            return source.pageBytes();
        }
    }

    @AfterEach
    void everythingIsReturned() {
        heap.checkInvariants();
        heap.close();
        Await.until("all chunks are released", source.out::isEmpty);
    }

    @Test
    @DisplayName("The thread that withdraws gets blocks of other chunks, large ones too")
    void allocate_afterAChunkIsWithdrawn_isServedByAnother() throws Exception {
        List<Long> old = new ArrayList<>(List.of(heap.allocate(LARGE_BYTES, 8, false)));
        heap.free(heap.allocate(LARGE_BYTES, 8, false));
        old.addAll(allocate(MANY));
        freeEverySecond(old);

        source.loseAll();
        heap.withdraw();
        List<Long> fresh = allocate(MANY);
        fresh.add(heap.allocate(LARGE_BYTES, 8, false));

        assertThat(fresh).noneMatch(source::isLost);
        assertThat(old).allMatch(source::isLost);
        old.forEach(heap::free);
        List<Long> more = allocate(MANY);
        areSound(more);
        more.forEach(heap::free);
        awaitRelease();
        fresh.forEach(heap::free);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("Other threads do not take what they have at hand, platform or virtual")
    void allocate_ofAnotherThread_isServedByAnotherChunk(boolean virtual) throws Exception {
        ThreadFactory factory =
                virtual ? Thread.ofVirtual().factory() : Thread.ofPlatform().factory();
        try (ExecutorService other = Executors.newSingleThreadExecutor(factory)) {
            List<Long> old = other.submit(() -> allocate(MANY)).get();
            other.submit(() -> freeEverySecond(old)).get();
            source.loseAll();
            heap.withdraw();

            List<Long> fresh = other.submit(() -> allocate(MANY)).get();
            areSound(fresh);
            other.submit(() -> old.forEach(heap::free)).get();
            List<Long> more = other.submit(() -> allocate(MANY)).get();
            areSound(more);
            fresh.forEach(heap::free);
            more.forEach(heap::free);
        }
        awaitRelease();
    }

    @Test
    @DisplayName("What a dead thread has left of a withdrawn chunk serves nobody")
    void allocate_whereADeadThreadHasBlocks_isServedByAnotherChunk() throws Exception {
        List<Long> old = new ArrayList<>();
        Thread dead =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    try {
                                        old.addAll(allocate(MANY));
                                        freeEverySecond(old);
                                    } catch (Refusal e) {
                                        throw new AssertionError(e);
                                    }
                                });
        dead.join();
        source.loseAll();
        heap.withdraw();

        List<Long> fresh = allocate(MANY);
        areSound(fresh);
        fresh.forEach(heap::free);
        old.forEach(heap::free);
    }

    /** A thread that has ended counts as alive for a moment more. */
    private void awaitRelease() {
        Await.until(
                "lost chunks are released with the last of their blocks",
                () -> {
                    heap.trim();
                    return !source.hasLost();
                });
    }

    private void areSound(List<Long> blocks) {
        assertThat(blocks).noneMatch(source::isLost);
    }

    /** By the fast path where there is one. */
    private List<Long> allocate(int count) throws Refusal {
        List<Long> blocks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long block = heap.tryAllocate(BLOCK_BYTES, 8);
            blocks.add(block != 0 ? block : heap.allocate(BLOCK_BYTES, 8, false));
        }
        return blocks;
    }

    private void freeEverySecond(List<Long> blocks) {
        for (int i = blocks.size() - 1; i >= 0; i -= 2) {
            long block = blocks.remove(i);
            if (!heap.tryFree(block)) {
                heap.free(block);
            }
        }
    }
}
