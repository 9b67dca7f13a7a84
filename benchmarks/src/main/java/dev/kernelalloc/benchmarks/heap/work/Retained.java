package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.SizeMix;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.FutureTask;

/**
 * The memory that stays resident after four threads had 1 GiB of mixed blocks alive together and
 * freed them, in another order than they were allocated. The Java heap is fixed and touched before,
 * so that it does not count.
 */
final class Retained {

    /** The state of the freeing threads while memory is measured. */
    enum Freeing {
        /** They allocate and free small blocks. */
        BUSY,
        /** They are blocked. */
        IDLE,
        /** They have ended. */
        DEAD
    }

    private static final int THREADS = 4;
    private static final long BYTES_A_THREAD = (1L << 30) / THREADS;
    private static final long WARMING_BYTES = 1 << 20;
    private static final int WARMING_TIMES = 100;

    /**
     * A prime that does not divide the number of blocks: so they are freed in an order far from the
     * first.
     */
    private static final long STRIDE = 7919;

    /** After trim(), the least time in which a busy thread makes its next call. */
    private static final long NEXT_CALL_MILLIS = 200;

    private Retained() {}

    static void run(Memory memory, Freeing freeing, int settleMillis) throws Exception {
        CyclicBarrier together = new CyclicBarrier(THREADS + 1);
        Crew.Signal stop = new Crew.Signal();
        List<FutureTask<Long>> tasks = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            int seed = i;
            FutureTask<Long> task =
                    new FutureTask<>(() -> work(memory, freeing, seed, together, stop));
            tasks.add(task);
            threads.add(Thread.ofPlatform().daemon().start(task));
        }
        together.await(); // warm
        memory.trim();
        double start = Resident.mebibytes();
        together.await(); // begin
        together.await(); // all alive
        double most = Resident.mebibytes();
        together.await(); // all free
        if (freeing == Freeing.DEAD) {
            for (Thread thread : threads) {
                thread.join();
            }
        }
        Thread.sleep(settleMillis);
        Report.print(Figure.RETAINED, Resident.mebibytes() - start);
        memory.trim();
        Thread.sleep(NEXT_CALL_MILLIS);
        Report.print(Figure.TRIMMED, Resident.mebibytes() - start);
        System.out.printf("of %.0f MiB at most, %.0f at the start%n", most - start, start);
        stop.set();
        if (freeing != Freeing.IDLE) {
            for (FutureTask<Long> task : tasks) {
                task.get(); // what went wrong there
            }
        }
    }

    private static long work(
            Memory memory, Freeing freeing, int seed, CyclicBarrier together, Crew.Signal stop)
            throws Exception {
        Xorshift random = new Xorshift(seed);
        Blocks blocks = memory.blocks((int) (BYTES_A_THREAD / 128));
        for (int i = 0; i < WARMING_TIMES; i++) {
            free(blocks, allocate(blocks, WARMING_BYTES, random));
        }
        together.await();
        together.await();
        int count = allocate(blocks, BYTES_A_THREAD, random);
        together.await();
        free(blocks, count);
        together.await();
        switch (freeing) {
            case DEAD -> {}
            case IDLE -> Thread.sleep(Long.MAX_VALUE);
            case BUSY -> {
                while (!stop.isSet()) {
                    memory.once(EachThread.BYTES, CFunctions.NATURAL_ALIGNMENT, seed);
                }
            }
        }
        return count;
    }

    /** Returns how many blocks it took. */
    private static int allocate(Blocks blocks, long bytes, Xorshift random) {
        int count = 0;
        for (long taken = 0; taken < bytes; count++) {
            int size = SizeMix.size(random.next());
            blocks.allocate(count, size, CFunctions.NATURAL_ALIGNMENT, count);
            taken += size;
        }
        if (count % STRIDE == 0) {
            blocks.free(--count);
        }
        return count;
    }

    private static void free(Blocks blocks, int count) {
        for (long i = 0; i < count; i++) {
            blocks.free((int) (i * STRIDE % count));
        }
    }
}
