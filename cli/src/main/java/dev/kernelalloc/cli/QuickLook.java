package dev.kernelalloc.cli;

/**
 * A short measurement, to give an idea: after some warming up, the best of some batches. It is no
 * benchmark: one JVM, no forks, whatever else this machine does.
 */
final class QuickLook {

    private static final long WARM_UP_NANOS = 200_000_000;
    private static final long BATCH_NANOS = 4_000_000;
    private static final int BATCHES = 8;
    private static final int MOST_TIMES = 1 << 28;

    /** Of one batch; as large as it takes to measure it. */
    private int times = 1;

    private double nanos = Double.MAX_VALUE;

    private final MemoryWay way;

    QuickLook(MemoryWay way) {
        this.way = way;
    }

    /** Lets the JIT see it; what it compiles is there some time after. */
    void warmUp() {
        long start = System.nanoTime();
        while (System.nanoTime() - start < WARM_UP_NANOS) {
            if (batch() < BATCH_NANOS && times < MOST_TIMES) {
                times *= 2;
            }
        }
    }

    /** Some batches more; in rounds with other ways, so that nobody's luck lasts. */
    void look() {
        times = Math.max(1, (int) (times * Math.min(1, (double) BATCH_NANOS / batch())));
        for (int i = 0; i < BATCHES; i++) {
            nanos = Math.min(nanos, (double) batch() / times);
        }
    }

    /** Nanoseconds for one, in the best batch: the others have waited for something else, too. */
    double nanos() {
        return nanos;
    }

    private long batch() {
        long before = System.nanoTime();
        long read = way.repeat(times);
        long nanos = System.nanoTime() - before;
        if (read != (long) times * (times - 1) / 2) {
            throw new AssertionError("what was written was not read: " + read);
        }
        return nanos;
    }
}
