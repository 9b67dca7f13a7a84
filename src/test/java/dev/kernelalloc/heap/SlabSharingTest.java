package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadFactory;
import java.util.stream.Collectors;

/** Threads own slabs, but never at the price of memory. */
class SlabSharingTest {

    private static final long BLOCK_BYTES = 1024;

    private final CountedChunks source =
            new CountedChunks(new SystemChunks(new FakeOperatingSystem()));
    private final SlabHeap heap = new SlabHeap(new HeapSettings("large", 2 << 20, 8 << 20), source);

    private final List<Runnable> ends = new ArrayList<>();

    @AfterEach
    void everythingIsReturned() {
        ends.forEach(Runnable::run);
        heap.checkInvariants();
        heap.close();
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    @DisplayName("Two live threads have no slab in common")
    void slabs_ofTwoLiveThreads_areDisjoint() throws Exception {
        List<Long> first = allocate(heap, 1000);
        List<Long> second = inThread(() -> allocate(heap, 1000));

        assertThat(slabs(heap, first)).doesNotContainAnyElementsOf(slabs(heap, second));
        freeAtEnd(heap, first);
        freeAtEnd(heap, second);
    }

    @Test
    @DisplayName("What a dead thread has left is used before the source is asked")
    void allocate_whereADeadThreadHasFreeBlocks_asksNotTheSource() throws Exception {
        List<Long> full = inThread(this::fillOneRange);
        long oneRange = source.bytesOut();
        List<Long> left = everySecond(full, 0);
        everySecond(full, 1).forEach(heap::free);
        heap.trim();

        List<Long> more = allocate(heap, full.size() / 4);

        assertThat(source.bytesOut()).isEqualTo(oneRange);
        assertThat(slabs(heap, left)).containsAll(slabs(heap, more));
        freeAtEnd(heap, left);
        freeAtEnd(heap, more);
    }

    @Test
    @DisplayName("A thread that only frees the blocks of others drops its cache when asked")
    void trim_whereAThreadOnlyFreesBlocksOfOneWhoseIdCollides_reachesIt() throws Exception {
        List<Thread> threads = new ArrayList<>();
        ThreadFactory factory =
                task -> {
                    Thread thread = Thread.ofPlatform().unstarted(task);
                    threads.add(thread);
                    return thread;
                };
        try (ExecutorService consumer = Executors.newSingleThreadExecutor(factory);
                ExecutorService producer = Executors.newSingleThreadExecutor(factory)) {
            long id = consumer.submit(() -> Thread.currentThread().threadId()).get();
            while ((Thread.ofPlatform().unstarted(() -> {}).threadId() + 1 - id) % 16 != 0) {
                // the next thread's id is to differ by a multiple of 16
            }
            consumer.submit(() -> freeAll(allocate(heap, 500))).get();
            List<Long> blocks = producer.submit(() -> allocate(heap, 500)).get();
            long before = heap.counters().cachedBytes();

            heap.trim();
            consumer.submit(() -> freeAll(blocks)).get();

            assertThat(heap.counters().cachedBytes()).isLessThan(before / 4);
        }
        for (Thread thread : threads) {
            thread.join(); // an executor is closed while its thread still ends
        }
    }

    private @Nullable Void freeAll(List<Long> blocks) {
        blocks.forEach(heap::free);
        return null;
    }

    @Test
    @DisplayName(
            "Empty slabs of one class, up to the limit of the cache, leave others the fast path")
    void tryAllocate_whereEmptySlabsOfAnotherClassFillTheCache_hasABlock() throws Exception {
        List<Long> large = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            large.add(heap.allocate(4 << 10, 8, false));
        }
        large.forEach(heap::free);
        assertThat(heap.counters().cachedBytes()).isGreaterThan(BLOCK_BYTES << 8);

        long first = heap.allocate(64, 8, false);
        long second = heap.tryAllocate(64, 8);

        assertThat(second).isNotZero();
        heap.free(first);
        heap.free(second);
    }

    @Test
    @DisplayName("Slabs that others have emptied are released by the owner's next call of any size")
    void allocate_afterOthersFreedEverything_releasesTheSlabs() throws Exception {
        List<Long> blocks = allocate(heap, 20_000);
        inThread(
                () -> {
                    blocks.forEach(heap::free);
                    return null;
                });
        long large = heap.allocate(300 << 10, 8, false);
        inThread(
                () -> {
                    heap.trim();
                    return null;
                });
        assertThat(heap.counters().capacityBytes()).isLessThan(4 << 20);
        heap.free(large);
    }

    @Test
    @DisplayName("Threads of a heap with small caches share slabs")
    void slabs_ofSmallHeap_areShared() throws Exception {
        SlabHeap small = new SlabHeap(new HeapSettings("small", 64 << 10, 256 << 10), source);
        List<Long> first = allocate(small, 1);
        List<Long> second = inThread(() -> allocate(small, 1));

        assertThat(slabs(small, first)).isEqualTo(slabs(small, second));
        assertThat(small.counters().cachedBytes()).isZero();
        first.forEach(small::free);
        second.forEach(small::free);
        small.checkInvariants();
        small.close();
    }

    @Test
    @DisplayName("A slab has fewer blocks where no more memory is left")
    void slab_whereLittleIsLeft_hasFewerBlocks() throws Refusal {
        source.refuseLargerThan(64 << 10);

        long block = heap.allocate(24 << 10, 1, false);

        assertThat(source.bytesOut()).isEqualTo(64 << 10);
        heap.free(block);
    }

    @Test
    @DisplayName("A refusal comes only when no shard has a block of the class")
    void allocate_whereAnotherShardHasABlock_isNotRefused() throws Exception {
        SlabHeap small = new SlabHeap(new HeapSettings("small", 64 << 10, 256 << 10), source);
        source.refuseLargerThan(64 << 10);
        long first = small.allocate(BLOCK_BYTES, 1, false);
        source.refuseLargerThan(0);
        List<Long> rest = inThread(() -> allocate(small, 63));

        assertThat(slabs(small, rest)).containsExactly(small.find(first));
        rest.forEach(small::free);
        small.free(first);
        small.close();
    }

    /** Blocks until a second range is needed; that one has gone back. */
    private List<Long> fillOneRange() throws Refusal {
        List<Long> blocks = new ArrayList<>(List.of(heap.allocate(BLOCK_BYTES, 1, false)));
        long oneRange = source.bytesOut();
        while (source.bytesOut() == oneRange) {
            blocks.add(heap.allocate(BLOCK_BYTES, 1, false));
        }
        heap.free(blocks.removeLast());
        heap.trim();
        assertThat(source.bytesOut()).isEqualTo(oneRange);
        return blocks;
    }

    private static List<Long> allocate(SlabHeap heap, int count) throws Refusal {
        List<Long> blocks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            blocks.add(heap.allocate(BLOCK_BYTES, 1, false));
        }
        return blocks;
    }

    private void freeAtEnd(SlabHeap heap, List<Long> blocks) {
        ends.add(() -> blocks.forEach(heap::free));
    }

    private static Set<Slab> slabs(SlabHeap heap, List<Long> blocks) {
        return blocks.stream().map(heap::find).collect(Collectors.toSet());
    }

    private static List<Long> everySecond(List<Long> blocks, int first) {
        List<Long> some = new ArrayList<>();
        for (int i = first; i < blocks.size(); i += 2) {
            some.add(blocks.get(i));
        }
        return some;
    }

    private static <T> T inThread(Callable<T> work) throws Exception {
        FutureTask<T> task = new FutureTask<>(work);
        Thread thread = Thread.ofPlatform().start(task);
        thread.join(); // or its cache is a live thread's
        return task.get();
    }
}
