package dev.kernelalloc.cli;

import java.util.function.IntToLongFunction;
import java.util.function.LongSupplier;

/**
 * A short measurement, to give an idea. It is no benchmark: one JVM, no forks, whatever else this
 * machine does.
 *
 * <p>The JIT compiles a loop several times, and gives its code up again when a class is loaded that
 * it had not reckoned with: right after warming up, a loop may run ten times slower than it will a
 * second later. So rounds of batches go on until the last few agree. All rounds run the very method
 * that was warmed up, with other measurements between them, which leaves the compiler time.
 */
final class QuickLook {

    /** So many rounds must agree. */
    static final int AGREEING = 3;

    /** So far apart may their best batches be. */
    static final double MOST_SPREAD = 0.1;

    private static final long WARM_UP_NANOS = 200_000_000;
    private static final long BATCH_NANOS = 4_000_000;
    private static final int BATCHES = 8;
    private static final int MOST_TIMES = 1 << 28;

    /** The operations of a batch; as many as measuring takes. */
    private int times = 1;

    /** Nanoseconds for one, in the best batch of each of the last rounds. */
    private final double[] best = new double[AGREEING];

    private int rounds;

    private final IntToLongFunction repeat;
    private final LongSupplier clock;

    QuickLook(MemoryWay way) {
        this(way::repeat, System::nanoTime);
    }

    /**
     * @param repeat does it so many times; returns the sum of the numbers below that
     * @param clock in nanoseconds
     */
    QuickLook(IntToLongFunction repeat, LongSupplier clock) {
        this.repeat = repeat;
        this.clock = clock;
    }

    /** Lets the JIT see it; what it compiles is there some time after. */
    void warmUp() {
        long start = clock.getAsLong();
        while (clock.getAsLong() - start < WARM_UP_NANOS) {
            if (batch() < BATCH_NANOS && times < MOST_TIMES) {
                times *= 2;
            }
        }
    }

    /** One round more. */
    void look() {
        long nanos = batch();
        while (nanos < BATCH_NANOS / 2 && times < MOST_TIMES) { // better code has come
            times *= 2;
            nanos = batch();
        }
        times = Math.max(1, (int) (times * Math.min(1, (double) BATCH_NANOS / nanos)));
        double round = Double.MAX_VALUE;
        for (int i = 0; i < BATCHES; i++) {
            round = Math.min(round, (double) batch() / times);
        }
        best[rounds++ % AGREEING] = round;
    }

    /** Whether the last rounds agree. */
    boolean isSettled() {
        return rounds >= AGREEING && spread() <= MOST_SPREAD;
    }

    /** How much slower the slowest of the last rounds was than the fastest, as a part of it. */
    double spread() {
        double slowest = 0;
        for (double round : best) {
            slowest = Math.max(slowest, round);
        }
        return slowest / nanos() - 1;
    }

    /** Nanoseconds for one, in the best batch of the last rounds: the others have waited, too. */
    double nanos() {
        double fastest = Double.MAX_VALUE;
        for (int i = 0; i < Math.min(rounds, AGREEING); i++) {
            fastest = Math.min(fastest, best[i]);
        }
        return fastest;
    }

    private long batch() {
        long before = clock.getAsLong();
        long read = repeat.applyAsLong(times);
        long nanos = clock.getAsLong() - before;
        if (read != (long) times * (times - 1) / 2) {
            throw new AssertionError("the written bytes were not read: " + read);
        }
        return nanos;
    }
}
