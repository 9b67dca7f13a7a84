package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.SizeMix;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.ArrayList;
import java.util.List;

/**
 * Whether memory or time grows with the number of threads that ever lived: resident bytes after
 * many short-lived threads, and after ten times as many; and a pair after them. Each allocates 100
 * mixed blocks and frees them.
 */
final class Churn {

    private static final int PLATFORM_THREADS = 1000;
    private static final int VIRTUAL_THREADS = 10_000;
    private static final int TIMES = 10;
    private static final int AT_ONCE = 8;
    private static final int BLOCKS = 100;

    /** Time for what watches over dead threads. */
    private static final long SETTLE_MILLIS = 500;

    private Churn() {}

    static void run(Memory memory, EachThread.Kind kind) throws Exception {
        int threads = kind == EachThread.Kind.VIRTUAL ? VIRTUAL_THREADS : PLATFORM_THREADS;
        live(memory, kind, threads);
        Thread.sleep(SETTLE_MILLIS);
        double few = Resident.mebibytes();
        live(memory, kind, threads * TIMES);
        Thread.sleep(SETTLE_MILLIS);
        Report.print(Figure.GROWN, Resident.mebibytes() - few);
    }

    /** Measures a pair in a thread that was there before those that have lived. */
    static void timeAfter(Memory memory, int lived, int warmUpMillis, int millis) throws Exception {
        Crew.Worker pairs = stop -> pairs(memory, stop);
        Crew.run(List.of(pairs), warmUpMillis);
        live(memory, EachThread.Kind.PLATFORM, lived);
        Report.print(Figure.NANOS, Crew.run(List.of(pairs), millis).nanosPerOperation());
    }

    private static long pairs(Memory memory, Crew.Signal stop) {
        long operations = 0;
        while (!stop.isSet()) {
            memory.once(EachThread.BYTES, CFunctions.NATURAL_ALIGNMENT, operations++);
        }
        return operations;
    }

    private static void live(Memory memory, EachThread.Kind kind, int threads)
            throws InterruptedException {
        List<Thread> alive = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int seed = i;
            alive.add(kind.builder().start(() -> allocateAndFree(memory, seed)));
            if (alive.size() == AT_ONCE) {
                for (Thread thread : alive) {
                    thread.join();
                }
                alive.clear();
            }
        }
    }

    private static void allocateAndFree(Memory memory, int seed) {
        Xorshift random = new Xorshift(seed);
        Blocks blocks = memory.blocks(BLOCKS);
        for (int slot = 0; slot < BLOCKS; slot++) {
            blocks.allocate(slot, SizeMix.size(random.next()), CFunctions.NATURAL_ALIGNMENT, slot);
        }
        for (int slot = 0; slot < BLOCKS; slot++) {
            blocks.free(slot);
        }
    }
}
