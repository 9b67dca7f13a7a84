package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.Stamp;
import dev.kernelalloc.testing.Workers;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;

/** What {@link PoolAllocator#close} promises while others use the pool, and after. */
@SuppressWarnings("try") // closing is what is tested
class PoolClosingTest {

    private final FakeOperatingSystem os = new FakeOperatingSystem();

    private PoolAllocator pool(boolean hardened) {
        return PackageAccess.build(PoolAllocator.builder().hardened(hardened), os);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theLastFreeOfAClosedPoolGivesEverythingBack(boolean hardened) {
        for (long bytes : new long[] {8, 1000, 100_000, 2 << 20, 20 << 20}) {
            PoolAllocator pool = pool(hardened);
            MemorySegment first = pool.allocate(bytes, 8);
            MemorySegment last = pool.allocate(bytes, 8);
            assertThatIllegalStateException().isThrownBy(pool::close);
            pool.free(first);
            assertThat(os.liveBlocks()).isPositive();
            pool.free(last);
            assertThat(pool.stats().capacityBytes()).isZero();
            os.assertNothingLeaked();
            assertThatIllegalArgumentException().isThrownBy(() -> pool.free(last));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theLastBoxOrArenaOfAClosedPoolGivesEverythingBack(boolean hardened) {
        PoolAllocator pool = pool(hardened);
        Arena arena = pool.arena();
        arena.allocate(100).fill((byte) 1);
        assertThatIllegalStateException().isThrownBy(pool::close);
        arena.close();
        assertThat(pool.stats().capacityBytes()).isZero();
        os.assertNothingLeaked();
    }

    @Test
    void whatOtherLiveThreadsHaveInTheirCachesGoesWithTheirNextCall() {
        try (Workers workers = new Workers()) {
            PoolAllocator pool = pool(false);
            workers.run(0, () -> pool.free(pool.allocate(64, 8)));
            pool.close();
            assertThat(pool.stats().cachedBytes()).isPositive();
            assertThat(os.liveBlocks()).isPositive();
            workers.run(
                    0,
                    () -> assertThatIllegalStateException().isThrownBy(() -> pool.allocate(64, 8)));
            assertThat(pool.stats().capacityBytes()).isZero();
            os.assertNothingLeaked();
        }
    }

    @Test
    void whatOtherThreadsHaveInTheirCachesGoesWhenTheyHaveDied() throws Exception {
        PoolAllocator pool = closedWithBlocksInTheCacheOfALiveThread(new CountDownLatch(0));
        Await.until("everything given back", () -> os.liveBlocks() == 0);
        assertThat(pool.stats().capacityBytes()).isZero();
    }

    @Test
    void memoryGoesBackAlsoWhenNobodyKnowsTheClosedPoolAnyMore() throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        closedWithBlocksInTheCacheOfALiveThread(end);
        for (int i = 0; i < 10; i++) {
            System.gc(); // the pool is unreachable, but for the trim thread
        }
        end.countDown();
        Await.until("everything given back", () -> os.liveBlocks() == 0);
    }

    /** The thread ends with {@code end}, and does not call the pool again. */
    private PoolAllocator closedWithBlocksInTheCacheOfALiveThread(CountDownLatch end)
            throws Exception {
        AtomicReference<PoolAllocator> pool = new AtomicReference<>(pool(false));
        CountDownLatch used = new CountDownLatch(1);
        Thread.ofPlatform()
                .start(
                        () -> {
                            pool.get().free(pool.get().allocate(64, 8));
                            used.countDown();
                            try {
                                end.await();
                            } catch (InterruptedException e) {
                                throw new AssertionError(e);
                            }
                        });
        used.await();
        pool.get().close();
        return pool.getAndSet(null);
    }

    @Test
    void aBlockThatIsFreedAfterTheCloseByAThreadThatNeverCalledGoesBack() {
        try (Workers workers = new Workers()) {
            for (int worker = 0; worker < Workers.COUNT; worker++) {
                PoolAllocator pool = pool(false);
                MemorySegment block = pool.allocate(100, 8);
                assertThatIllegalStateException().isThrownBy(pool::close);
                workers.run(worker, () -> pool.free(block));
                assertThat(pool.stats().capacityBytes()).isZero();
                os.assertNothingLeaked();
            }
        }
    }

    /** In a JVM of its own, because what would go wrong is a crash. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void closingInTheMidstOfWorkOnOtherThreadsNeverCrashes(boolean hardened) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-XX:-CreateCoredumpOnCrash")
                        .outputOf(CloseAmongOthers.class, "" + hardened);
        assertThat(output).contains("closed 100 pools, nothing left");
    }

    static final class CloseAmongOthers {
        private static final int POOLS = 100;
        private static final int THREADS = 4;

        private CloseAmongOthers() {}

        static void main(String[] arguments) throws Exception {
            for (int i = 0; i < POOLS; i++) {
                PoolAllocator pool =
                        PoolAllocator.builder()
                                .hardened(Boolean.parseBoolean(arguments[0]))
                                .build();
                CountDownLatch working = new CountDownLatch(THREADS);
                List<FutureTask<Boolean>> tasks = new ArrayList<>();
                List<Thread> threads = new ArrayList<>();
                for (int j = 0; j < THREADS; j++) {
                    FutureTask<Boolean> task = new FutureTask<>(() -> work(pool, working));
                    tasks.add(task);
                    threads.add(
                            (j % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(task));
                }
                working.await();
                try {
                    pool.close();
                } catch (IllegalStateException e) {
                    requireText(e, "live blocks");
                }
                for (FutureTask<Boolean> task : tasks) {
                    task.get();
                }
                for (Thread thread : threads) {
                    thread.join();
                }
                requireNone(pool.stats().liveBlocks());
                Await.until(
                        "memory back of " + pool.stats(), () -> pool.stats().capacityBytes() == 0);
            }
            IO.println("closed " + POOLS + " pools, nothing left");
        }

        /** Until the pool is closed; then it gives back what it still has. */
        private static boolean work(PoolAllocator pool, CountDownLatch working) {
            ThreadLocalRandom random = ThreadLocalRandom.current();
            Deque<MemorySegment> mine = new ArrayDeque<>();
            try {
                for (int i = 0; ; i++) {
                    if (i == 100) {
                        working.countDown();
                    }
                    long bytes = random.nextInt(i % 100 == 0 ? 100_000 : 2000);
                    MemorySegment block = pool.allocate(bytes, 8);
                    mine.add(block);
                    Stamp.write(block, block.address());
                    if (mine.size() > 50 || random.nextInt(3) == 0) {
                        free(pool, random.nextBoolean() ? mine.removeFirst() : mine.removeLast());
                    }
                }
            } catch (IllegalStateException e) {
                requireText(e, "is closed");
            }
            mine.forEach(block -> free(pool, block));
            return true;
        }

        private static void free(PoolAllocator pool, MemorySegment block) {
            Stamp.check(block, block.byteSize(), block.address());
            pool.free(block);
        }

        private static void requireText(IllegalStateException e, String text) {
            if (!e.getMessage().contains(text)) {
                throw e;
            }
        }

        private static void requireNone(long blocks) {
            if (blocks != 0) {
                throw new AssertionError(blocks + " live blocks");
            }
        }
    }
}
