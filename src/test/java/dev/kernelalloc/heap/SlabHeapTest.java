package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.Stamp;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** How the engine behaves when many threads use it: what they keep, and where it goes. */
class SlabHeapTest {

    private static final long THREAD_CACHE_BYTES = 2 << 20;
    private static final long CACHE_BYTES = 8 << 20;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final SlabHeap heap =
            new SlabHeap(
                    new HeapSettings("tested", THREAD_CACHE_BYTES, CACHE_BYTES),
                    new SystemChunks(os));

    @AfterEach
    void allGoesBack() {
        assertThat(heap.counters().liveBlocks()).isZero();
        heap.checkInvariants();
        heap.close();
        Await.until("everything given back", () -> os.liveBlocks() == 0);
        assertThat(heap.counters().capacityBytes()).isZero();
    }

    // ---- memory that goes from thread to thread -----------------------------------------------

    @Test
    void whatOneThreadAllocatesAndAnotherFreesFindsItsWayBack() throws Exception {
        int batches = 2000;
        int blocks = 256;
        BlockingQueue<long[]> toFree = new LinkedBlockingQueue<>(4);
        long[] most = {0};
        inThreads(
                () -> {
                    for (int i = 0; i < batches; i++) {
                        toFree.put(allocate(blocks, 1000));
                        most[0] = Math.max(most[0], heap.counters().capacityBytes());
                    }
                },
                () -> {
                    for (int i = 0; i < batches; i++) {
                        freeAll(toFree.take());
                    }
                });
        long live = 6L * blocks * 1024;
        assertThat(most[0]).isLessThan(live + 2 * CACHE_BYTES + (2 << 20));
    }

    @Test
    void blocksThatTravelInACircleOfThreadsKeepTheCapacityBounded() throws Exception {
        int threads = 4;
        int rounds = 300;
        List<BlockingQueue<long[]>> inbox =
                IntStream.range(0, threads)
                        .<BlockingQueue<long[]>>mapToObj(_ -> new LinkedBlockingQueue<>())
                        .toList();
        List<Work> travel = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int from = i;
            travel.add(
                    () -> {
                        for (int round = 0; round < rounds; round++) {
                            long[] batch =
                                    allocate(200, 1 + ThreadLocalRandom.current().nextInt(900));
                            inbox.get((from + 1) % threads).put(batch);
                            freeAll(inbox.get(from).take());
                        }
                    });
        }
        inThreads(travel);
        assertThat(heap.counters().capacityBytes()).isLessThan(4 * CACHE_BYTES);
    }

    @Test
    void aThreadThatReleasesMoreThanItMayKeepKeepsNothingOfAnyClass() throws Exception {
        useSomeClasses();
        assertThat(heap.counters().cachedBytes()).isPositive();
        freeAll(allocate((int) (2 * CACHE_BYTES / 1024), 1024));
        assertThat(heap.counters().capacityBytes()).isZero();
        useSomeClasses();
        assertThat(heap.counters().cachedBytes()).isPositive();
    }

    @Test
    void aThreadKeepsNothingEvenIfOthersHaveFreedAsMuchBefore() throws Exception {
        int many = (int) (2 * THREAD_CACHE_BYTES / 1024);
        long[] own = allocate(2 * many, 512);
        long[] others = allocate(many, 1024);
        inThreads(() -> freeAll(others));
        long[] few = allocate(10, 1024); // collects what the other thread has freed
        freeAll(few);
        freeAll(own);
        assertThat(heap.counters().cachedBytes()).isZero();
        assertThat(heap.counters().capacityBytes()).isZero();
    }

    // ---- threads that come and go -------------------------------------------------------------

    @Test
    void thousandsOfThreadsThatHaveDiedLeaveNoMoreThanAFew() throws Exception {
        int alive = 10;
        for (int i = 0; i < 5000; i += alive) {
            List<Work> some = new ArrayList<>();
            for (int j = 0; j < alive; j++) {
                some.add(this::useSomeClasses);
            }
            inThreads(some);
        }
        long slabsOfThoseAlive = alive * 10L * Range.GRANULE_BYTES; // a slab of each of ten classes
        assertThat(heap.counters().cachedBytes()).isLessThanOrEqualTo(CACHE_BYTES);
        assertThat(heap.counters().capacityBytes()).isLessThan(2 * slabsOfThoseAlive);
    }

    @Test
    void thousandsOfVirtualThreadsShareWhatAFewKeep() throws Exception {
        List<Thread> threads = new ArrayList<>();
        Set<Throwable> failures = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < 20_000; i++) {
            threads.add(
                    Thread.ofVirtual()
                            .start(
                                    () -> {
                                        try {
                                            useSomeClasses();
                                        } catch (Throwable e) {
                                            failures.add(e);
                                        }
                                    }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        assertThat(heap.counters().liveBlocks()).isZero();
        assertThat(heap.counters().cachedBytes() + heap.counters().remoteBytes())
                .isLessThanOrEqualTo(CACHE_BYTES);
    }

    private void useSomeClasses() throws Refusal {
        long[] blocks = new long[20];
        for (int i = 0; i < blocks.length; i++) {
            blocks[i] = heap.allocate(16L << i % 10, 8, false);
            MemorySegment block = NativeMemory.segment(blocks[i], 16L << i % 10);
            Stamp.write(block, blocks[i]);
        }
        Thread.yield();
        for (int i = 0; i < blocks.length; i++) {
            Stamp.check(NativeMemory.segment(blocks[i], 16L << i % 10), 16L << i % 10, blocks[i]);
            heap.free(blocks[i]);
        }
    }

    private Object useSomeClassesOnce() throws Refusal {
        useSomeClasses();
        return "done";
    }

    @Test
    void theCacheOfADeadThreadIsTakenOverByTheNextOne() throws Exception {
        Set<Long> ofTheDead = new HashSet<>();
        inThreads(
                () -> {
                    long[] blocks = allocate(10, 64);
                    LongStream.of(blocks).forEach(ofTheDead::add);
                    freeAll(blocks);
                });
        long capacity = heap.counters().capacityBytes();
        inThreads(
                () -> {
                    long block = heap.allocate(64, 8, false);
                    assertThat(ofTheDead).contains(block);
                    heap.free(block);
                });
        assertThat(heap.counters().capacityBytes()).isEqualTo(capacity);
    }

    @Test
    void theCacheOfADeadThreadIsSweptByTrimmingAndByIdleTrimming() throws Exception {
        inThreads(this::useSomeClasses);
        assertThat(heap.counters().cachedBytes()).isPositive();
        heap.trimIdle();
        assertThat(heap.counters().cachedBytes()).isZero();
        inThreads(this::useSomeClasses);
        assertThat(heap.counters().cachedBytes()).isPositive();
        heap.trim();
        assertThat(heap.counters().capacityBytes()).isZero();
    }

    @Test
    void manyLiveThreadsEachHaveTheirOwnBlocks() throws Exception {
        int threads = 200;
        Set<Long> all = ConcurrentHashMap.newKeySet();
        CyclicBarrier together = new CyclicBarrier(threads);
        Work use =
                () -> {
                    for (int round = 0; round < 5; round++) {
                        long[] blocks = allocate(50, 64);
                        for (long block : blocks) {
                            assertThat(all.add(block)).isTrue();
                            Stamp.write(NativeMemory.segment(block, 64), block);
                        }
                        together.await();
                        for (long block : blocks) {
                            Stamp.check(NativeMemory.segment(block, 64), 64, block);
                            all.remove(block);
                        }
                        together.await();
                        freeAll(blocks);
                    }
                };
        inThreads(Collections.nCopies(threads, use));
    }

    // ---- trimming while others work -----------------------------------------------------------

    @Test
    void afterATrimEachThreadGivesUpItsCacheAtItsNextCall() throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            other.submit(this::useSomeClassesOnce).get();
            long before = heap.counters().cachedBytes();
            heap.trim();
            assertThat(heap.counters().cachedBytes()).isEqualTo(before);
            other.submit(
                            () -> {
                                heap.free(heap.allocate(40, 8, false));
                                return null;
                            })
                    .get();
            int oneClass = SizeClasses.of(40, 8);
            assertThat(heap.counters().cachedBytes())
                    .isLessThanOrEqualTo(SlabShape.of(oneClass, new SystemChunks(os), 0).bytes());
            other.submit(heap::trim).get();
            assertThat(heap.counters().capacityBytes()).isZero();
        }
    }

    @Test
    void trimmingWhileOthersWorkDisturbsNobody() throws Exception {
        AtomicBoolean ended = new AtomicBoolean();
        Work work =
                () -> {
                    for (int i = 0; i < 1000; i++) {
                        useSomeClasses();
                    }
                };
        try (ExecutorService trimming = Executors.newFixedThreadPool(2)) {
            Future<Integer> trims = trimming.submit(() -> untilEnded(ended, heap::trim));
            Future<Integer> idleTrims = trimming.submit(() -> untilEnded(ended, heap::trimIdle));
            try {
                inThreads(work, work, work);
            } finally {
                ended.set(true);
            }
            assertThat(trims.get()).isPositive();
            assertThat(idleTrims.get()).isPositive();
        }
    }

    private static int untilEnded(AtomicBoolean ended, Runnable trim) {
        int times = 0;
        do {
            trim.run();
            times++;
        } while (!ended.get());
        return times;
    }

    /** The trim thread is no caller: points at which no caller is active are quiet. */
    @Test
    void countersAreExactWhileIdleMemoryIsTrimmed() throws Exception {
        AtomicBoolean ended = new AtomicBoolean();
        try (ExecutorService trimming = Executors.newSingleThreadExecutor();
                ExecutorService others = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Integer> trims = trimming.submit(() -> untilEnded(ended, heap::trimIdle));
            try {
                for (int i = 0; i < 2000; i++) {
                    others.submit(this::useSomeClassesOnce).get();
                    assertThat(heap.counters().liveBlocks()).isZero();
                    assertThat(heap.counters().liveBytes()).isZero();
                }
            } finally {
                ended.set(true);
            }
            assertThat(trims.get()).isPositive();
        }
    }

    /** The caller's own cache holds a slab of which another thread has freed the last block. */
    @Test
    void freeingAnothersBlockAfterTheCloseGivesUpTheCallersCache() throws Exception {
        CountedChunks source = new CountedChunks(new SystemChunks(os));
        SlabHeap closed = new SlabHeap(new HeapSettings("closed", 2 << 20, 8 << 20), source);
        long mine = closed.allocate(16, 8, false);
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            long others = other.submit(() -> closed.allocate(16, 8, false)).get();
            other.submit(closed::close).get();
            other.submit(() -> closed.free(mine)).get();
            assertThat(source.bytesOut()).isPositive();
            closed.free(others);
            assertThat(closed.counters().capacityBytes())
                    .isLessThanOrEqualTo(closed.counters().cachedBytes());
            Await.until("all given back", () -> source.bytesOut() == 0);
        }
    }

    // ---- what they share ----------------------------------------------------------------------

    private long[] allocate(int blocks, long bytes) throws Refusal {
        long[] addresses = new long[blocks];
        for (int i = 0; i < blocks; i++) {
            addresses[i] = heap.allocate(bytes, 8, false);
        }
        return addresses;
    }

    @Test
    void aLargeBlockThatWasAloneForLongGoesBackByItself() throws Exception {
        long block = heap.allocate(20 << 20, 1, false);
        Await.until("found empty", () -> !heap.isRegistered());
        heap.free(block);
        Await.until("given back", () -> os.liveBlocks() == 0);
    }

    @Test
    void aHeapThatWasFoundEmptyWhileItsSourceWasSlowIsTrimmedAllTheSame() throws Exception {
        String output = ChildJvm.onModulePath().withNativeAccess().outputOf(SlowSource.class);
        assertThat(output).contains("all given back");
    }

    /** A process of its own: there is no other heap for the trim thread to visit. */
    static final class SlowSource {

        private SlowSource() {}

        static void main() throws Exception {
            FakeOperatingSystem os = new FakeOperatingSystem();
            CountedChunks slow = new CountedChunks(new SystemChunks(os));
            slow.beforeEach(() -> Await.until("trim thread gone", () -> !trimThreadRuns()));
            SlabHeap heap = new SlabHeap(new HeapSettings("slow", 2 << 20, 8 << 20), slow);
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    heap.free(heap.allocate(64, 1, false));
                                } catch (Refusal e) {
                                    throw new IllegalStateException(e);
                                }
                            });
            thread.start();
            thread.join();
            Await.until("all given back", () -> slow.bytesOut() == 0);
            IO.println("all given back");
        }

        private static boolean trimThreadRuns() {
            return Thread.getAllStackTraces().keySet().stream()
                    .anyMatch(thread -> thread.getName().equals("kernel-alloc-trim"));
        }
    }

    private void freeAll(long[] blocks) {
        Arrays.stream(blocks).forEach(heap::free);
    }

    /** Each in a new thread of its own; all have died when this returns. */
    private static void inThreads(Work... works) throws Exception {
        inThreads(List.of(works));
    }

    private static void inThreads(List<Work> works) throws Exception {
        List<FutureTask<Object>> ends = works.stream().map(SlabHeapTest::task).toList();
        List<Thread> threads = ends.stream().map(Thread.ofPlatform()::start).toList();
        for (Thread thread : threads) {
            thread.join();
        }
        for (Future<Object> end : ends) {
            end.get();
        }
    }

    private static FutureTask<Object> task(Work work) {
        return new FutureTask<>(
                () -> {
                    work.run();
                    return "done";
                });
    }

    private interface Work {
        void run() throws Exception;
    }
}
