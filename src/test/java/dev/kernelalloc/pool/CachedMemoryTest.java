package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;

/** What is kept to be handed out again stays below its limits, and goes back when it lies idle. */
class CachedMemoryTest {

    private static final int MAX_BYTES = 24 << 20;

    @ParameterizedTest
    @EnumSource
    void whatAThreadThatHasDiedLeavesGoesBackByItselfOrWhenTrimmed(PoolKind kind) throws Exception {
        try (PoolAllocator pool = kind.make()) {
            inAnotherThread(() -> useEveryClass(pool));
            if (kind != PoolKind.HARDENED) { // what is in quarantine stays there until trimmed
                Await.until("idle memory goes back", () -> pool.stats().capacityBytes() == 0);
            }
            inAnotherThread(() -> useEveryClass(pool));
            pool.trim();
            assertThat(pool.stats().capacityBytes()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void threadsKeepNoMoreThanTheyMay(CacheLimit limit) throws Exception {
        try (PoolAllocator pool =
                PoolAllocator.builder().cacheBytes(limit.perThread, limit.total).build()) {
            inAnotherThread(() -> useManyClasses(pool));
            useManyClasses(pool);
            assertThat(pool.stats().cachedBytes()).isLessThanOrEqualTo(2 * limit.perThread);
            assertThat(pool.stats().cachedBytes() + pool.stats().remoteBytes())
                    .isLessThanOrEqualTo(limit.total);
        }
    }

    enum CacheLimit {
        NONE(0, 0),
        SMALL(64 << 10, 1 << 20),
        USUAL(1 << 20, 16 << 20),
        TOTAL_BELOW_ONE_THREAD(4 << 20, 256 << 10);

        private final long perThread;
        private final long total;

        CacheLimit(long perThread, long total) {
            this.perThread = perThread;
            this.total = total;
        }
    }

    private static void useManyClasses(PoolAllocator pool) {
        for (int bytes = 8; bytes <= 1 << 20; bytes = bytes * 9 / 8 + 8) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < Math.clamp((1 << 20) / bytes, 2, 300); i++) {
                blocks.add(pool.allocate(bytes, 8));
            }
            blocks.forEach(pool::free);
        }
    }

    /** One of each class, and beyond. */
    private static void useEveryClass(PoolAllocator pool) {
        for (long bytes = 8;
                bytes <= MAX_BYTES;
                bytes += Math.max(8, Long.highestOneBit(bytes) / 8)) {
            pool.free(pool.allocate(bytes, 8));
        }
    }

    private static void inAnotherThread(Runnable work) throws Exception {
        FutureTask<Void> task = new FutureTask<>(work, null);
        Thread thread = Thread.ofPlatform().start(task);
        task.get();
        thread.join();
    }
}
