package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;

/** Threads have slabs of their own, but never at the price of memory. */
class HomesTest {

    private static final long BLOCK_BYTES = 1024;

    private final CountedChunks source =
            new CountedChunks(new SystemChunks(new FakeOperatingSystem()));
    private final SlabHeap heap = new SlabHeap(new HeapSettings("homes", 1 << 20, 4 << 20), source);

    private final List<Long> ofEven = new ArrayList<>();
    private final List<Long> ofOdd = new ArrayList<>();

    @AfterEach
    void allGoesBack() {
        ofEven.forEach(heap::free);
        ofOdd.forEach(heap::free);
        heap.close();
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void threadsOfDifferentHomesHaveNoSlabInCommon() throws Exception {
        inTwoThreadsOfDifferentHomes(() -> allocate(1000));

        assertThat(slabs(ofEven)).doesNotContainAnyElementsOf(slabs(ofOdd));
    }

    @Test
    void whatAnotherHomeHasLeftComesBeforeWhatTheSystemHas() throws Exception {
        List<Long> full = inThread(0, this::fillOneRange);
        long oneRange = source.bytesOut();
        List<Long> left = everySecond(full, 0);
        everySecond(full, 1).forEach(heap::free);
        heap.trim();

        List<Long> more = inThread(1, () -> allocate(full.size() / 4));

        assertThat(source.bytesOut()).isEqualTo(oneRange);
        assertThat(slabs(left)).containsAll(slabs(more));
        left.forEach(heap::free);
        more.forEach(heap::free);
    }

    @Test
    void whereRangesAreSmallAllShareSlabs() throws Exception {
        source.refuseLargerThan(1 << 20);
        inTwoThreadsOfDifferentHomes(() -> allocate(1));

        assertThat(slabs(ofEven)).isEqualTo(slabs(ofOdd));
    }

    @Test
    void aSlabHasFewerBlocksWhereNoMoreIsToBeHad() throws Refusal {
        source.refuseLargerThan(64 << 10);

        long block = heap.allocate(24 << 10, 1);

        assertThat(source.bytesOut()).isEqualTo(64 << 10);
        heap.free(block);
    }

    /** Blocks until a second range is needed; that one has gone back. */
    private List<Long> fillOneRange() throws Refusal {
        List<Long> blocks = new ArrayList<>(List.of(heap.allocate(BLOCK_BYTES, 1)));
        long oneRange = source.bytesOut();
        while (source.bytesOut() == oneRange) {
            blocks.add(heap.allocate(BLOCK_BYTES, 1));
        }
        heap.free(blocks.removeLast());
        heap.trim();
        assertThat(source.bytesOut()).isEqualTo(oneRange);
        return blocks;
    }

    private List<Long> allocate(int count) throws Refusal {
        List<Long> blocks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            blocks.add(heap.allocate(BLOCK_BYTES, 1));
        }
        return blocks;
    }

    private Set<Slab> slabs(List<Long> blocks) {
        return blocks.stream().map(heap::slabAt).collect(Collectors.toSet());
    }

    private static List<Long> everySecond(List<Long> blocks, int first) {
        List<Long> some = new ArrayList<>();
        for (int i = first; i < blocks.size(); i += 2) {
            some.add(blocks.get(i));
        }
        return some;
    }

    /** The first is alive meanwhile, so that the second cannot take over its cache. */
    private void inTwoThreadsOfDifferentHomes(Callable<List<Long>> work) throws Exception {
        inThread(
                0,
                () -> {
                    ofEven.addAll(work.call());
                    return ofOdd.addAll(inThread(1, work));
                });
    }

    /** In a thread whose number is even or odd. There are at least two homes. */
    private static <T> T inThread(int parity, Callable<T> work) throws Exception {
        FutureTask<T> task = new FutureTask<>(work);
        Thread thread;
        do {
            thread = new Thread(task);
        } while (thread.threadId() % 2 != parity);
        thread.start();
        thread.join(); // or its cache is a live thread's
        return task.get();
    }
}
