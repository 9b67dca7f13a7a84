package dev.kernelalloc.soak;

import java.util.Random;
import java.util.SplittableRandom;

/** What a soak does over and over. */
interface Scenario extends AutoCloseable {

    /**
     * Runs the round of a seed. What depends on neither threads nor the kernel is the same whenever
     * that seed runs.
     *
     * @throws Mismatch when something is not as the model has it
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
