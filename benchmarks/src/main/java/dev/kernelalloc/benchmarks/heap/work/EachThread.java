package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * 10,000 virtual threads that each allocate and free blocks of 64 bytes; or as many platform
 * threads as there are processors, which do the same work between them.
 */
final class EachThread {

    /** The kinds of threads. */
    enum Kind {
        VIRTUAL,
        PLATFORM;

        Thread.Builder builder() {
            return this == VIRTUAL ? Thread.ofVirtual() : Thread.ofPlatform();
        }
    }

    /** Returns one share of the work. */
    enum Way {
        /** 2,000 blocks, one after another. */
        PLAIN,
        /** 20 blocks, each held while other virtual threads run. */
        YIELDING,
        /** qsort(3) of 64 numbers, whose comparison in Java allocates and frees a block. */
        UPCALL,
        /** Every second one of the former two: those that hold, and those that cannot give way. */
        MIXED
    }

    static final int BYTES = 64;

    private static final int SHARES = 10_000;
    private static final int PLAIN_BLOCKS = 2000;
    private static final int YIELDING_BLOCKS = 20;
    private static final int LEAST_REPEATS = 2;

    private EachThread() {}

    static void run(Memory memory, Kind kind, Way way, int warmUpMillis, int millis)
            throws InterruptedException {
        Upcall upcall = new Upcall(memory);
        repeat(memory, upcall, kind, way, warmUpMillis);
        List<Double> nanos = repeat(memory, upcall, kind, way, millis);
        double[] sorted = nanos.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        Report.print(Figure.NANOS, sorted[sorted.length / 2]);
    }

    private static List<Double> repeat(Memory memory, Upcall upcall, Kind kind, Way way, int millis)
            throws InterruptedException {
        List<Double> nanos = new ArrayList<>();
        long end = System.nanoTime() + 1_000_000L * millis;
        while (nanos.size() < LEAST_REPEATS || System.nanoTime() < end) {
            nanos.add(once(memory, upcall, kind, way));
        }
        return nanos;
    }

    private static double once(Memory memory, Upcall upcall, Kind kind, Way way)
            throws InterruptedException {
        int threads = kind == Kind.VIRTUAL ? SHARES : Runtime.getRuntime().availableProcessors();
        long[] operations = new long[threads];
        Thread[] running = new Thread[threads];
        long before = System.nanoTime();
        for (int i = 0; i < threads; i++) {
            int number = i;
            int shares = SHARES / threads;
            running[i] =
                    kind.builder()
                            .start(
                                    () -> {
                                        for (int share = 0; share < shares; share++) {
                                            operations[number] +=
                                                    share(memory, upcall, way, number + share);
                                        }
                                    });
        }
        for (Thread thread : running) {
            thread.join();
        }
        long nanos = System.nanoTime() - before;
        if (Arrays.stream(operations).anyMatch(done -> done == 0)) {
            throw new IllegalStateException("a thread ended by an exception");
        }
        return (double) nanos / Arrays.stream(operations).sum();
    }

    /** Returns how many blocks it was. */
    private static long share(Memory memory, Upcall upcall, Way way, int number) {
        return switch (way) {
            case PLAIN -> plain(memory);
            case YIELDING -> yielding(memory);
            case UPCALL -> upcall.sort();
            case MIXED -> number % 2 == 0 ? upcall.sort() : yielding(memory);
        };
    }

    private static long plain(Memory memory) {
        for (int i = 0; i < PLAIN_BLOCKS; i++) {
            memory.once(BYTES, CFunctions.NATURAL_ALIGNMENT, i);
        }
        return PLAIN_BLOCKS;
    }

    private static long yielding(Memory memory) {
        Blocks blocks = memory.blocks(1);
        for (int i = 0; i < YIELDING_BLOCKS; i++) {
            blocks.allocate(0, BYTES, CFunctions.NATURAL_ALIGNMENT, i);
            Thread.yield();
            blocks.free(0);
        }
        return YIELDING_BLOCKS;
    }
}
