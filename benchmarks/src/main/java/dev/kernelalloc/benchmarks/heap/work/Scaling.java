package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The gain of more threads: every thread replaces the oldest of 64 blocks of its own of 64 bytes.
 * It is compared with a loop of arithmetic that shares nothing, because a second virtual processor
 * is seldom a whole one.
 */
final class Scaling {

    private static final int REPEATS = 5;
    private static final int MANY = 64;
    private static final int LIVE = 64;
    private static final int BYTES = 64;
    private static final int STEPS = 20;

    private Scaling() {}

    static void run(Memory memory, int warmUpMillis, int millis) throws Exception {
        int phase = Math.max(1, millis / 4);
        double[] scaling = new double[REPEATS];
        double[] many = new double[REPEATS];
        throughput(blocks(memory, 2), warmUpMillis);
        throughput(arithmetic(2), warmUpMillis / 4);
        for (int i = -1; i < REPEATS; i++) { // the first time to warm up, too
            double one = throughput(blocks(memory, 1), phase);
            double two = throughput(blocks(memory, 2), phase);
            double oneOfArithmetic = throughput(arithmetic(1), phase);
            double twoOfArithmetic = throughput(arithmetic(2), phase);
            double all = throughput(blocks(memory, MANY), phase);
            if (i >= 0) {
                scaling[i] = two / one / (twoOfArithmetic / oneOfArithmetic);
                many[i] = all / two;
            }
        }
        Report.print(Figure.SCALING, median(scaling));
        Report.print(Figure.MANY_THREADS, median(many));
    }

    private static double throughput(List<Crew.Worker> workers, int millis) throws Exception {
        return 1 / Crew.run(workers, millis).nanosPerOperation();
    }

    private static List<Crew.Worker> blocks(Memory memory, int threads) {
        return IntStream.range(0, threads)
                .mapToObj(_ -> (Crew.Worker) stop -> replace(memory.blocks(LIVE), stop))
                .toList();
    }

    private static long replace(Blocks blocks, Crew.Signal stop) {
        for (int slot = 0; slot < LIVE; slot++) {
            blocks.allocate(slot, BYTES, CFunctions.NATURAL_ALIGNMENT, slot);
        }
        long operations = 0;
        while (!stop.isSet()) {
            int slot = (int) operations & (LIVE - 1);
            blocks.free(slot);
            blocks.allocate(slot, BYTES, CFunctions.NATURAL_ALIGNMENT, operations);
            operations++;
        }
        for (int slot = 0; slot < LIVE; slot++) {
            blocks.free(slot);
        }
        return operations;
    }

    private static List<Crew.Worker> arithmetic(int threads) {
        return IntStream.range(0, threads)
                .mapToObj(seed -> (Crew.Worker) stop -> draw(new Xorshift(seed), stop))
                .toList();
    }

    private static long draw(Xorshift random, Crew.Signal stop) {
        long operations = 0;
        long last = 0;
        while (!stop.isSet()) {
            for (int i = 0; i < STEPS; i++) {
                last = random.next();
            }
            operations++;
        }
        // A state of this generator is never 0, which the JIT cannot prove.
        return last == 0 ? 0 : operations;
    }

    private static double median(double[] values) {
        Arrays.sort(values);
        return values[values.length / 2];
    }
}
