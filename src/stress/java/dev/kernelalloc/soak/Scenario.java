package dev.kernelalloc.soak;

import java.util.Random;
import java.util.SplittableRandom;

/** The repeated part of a soak. */
interface Scenario extends AutoCloseable {

    /**
     * Runs the round of a seed. The parts that depend on neither threads nor the kernel are the
     * same whenever that seed runs.
     *
     * @throws Mismatch if the result differs from the model
     */
    void round(long seed) throws Exception;

    /** Returns random numbers that differ from the first on also for neighbouring seeds. */
    static Random random(long seed) {
        return new Random(new SplittableRandom(seed).nextLong());
    }

    /** Returns what was done so far, for one line. */
    String summary();

    /** Restores what it has changed outside this process. */
    @Override
    default void close() {}
}
