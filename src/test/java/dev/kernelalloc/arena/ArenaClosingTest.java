package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.Chunk;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.ForwardingChunks;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicInteger;

/** An arena closes once, so its close gives back all that it can. */
class ArenaClosingTest {

    private static final int BLOCKS = 3;

    /** Fails where the Java heap has no room for what a call needs, after the call. */
    private static final class FailingChunks extends ForwardingChunks {
        private final AtomicInteger live;

        FailingChunks(ChunkSource source, AtomicInteger live) {
            super(source);
            this.live = live;
        }

        @Override
        public Chunk obtain(long bytes, long alignment) throws Refusal {
            live.incrementAndGet();
            return source.obtain(bytes, alignment);
        }

        @Override
        public void release(Chunk chunk) {
            source.release(chunk);
            live.decrementAndGet();
            throw new OutOfMemoryError("as if the Java heap were exhausted");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anErrorFromOneBlockDoesNotKeepTheOthers(boolean shared) {
        AtomicInteger live = new AtomicInteger();
        PoolAllocator pool =
                PackageAccess.build(
                        PoolAllocator.builder().cacheBytes(0, 0),
                        new FailingChunks(new SystemChunks(Platform.current()), live));
        Arena arena = shared ? pool.sharedArena() : pool.arena();
        int before = live.get();
        for (int i = 0; i < BLOCKS; i++) {
            arena.allocate(64, 256 << 10);
        }
        assertThat(live.get()).isEqualTo(before + BLOCKS);
        assertThatThrownBy(arena::close).isInstanceOf(OutOfMemoryError.class);
        assertThat(pool.stats().liveBlocks()).isZero();
        assertThat(live.get()).isEqualTo(before);
    }
}
