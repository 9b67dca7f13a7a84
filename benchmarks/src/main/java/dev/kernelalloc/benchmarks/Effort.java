package dev.kernelalloc.benchmarks;

import java.util.List;

/**
 * How long is measured.
 *
 * @param rounds forks of every case
 * @param warmUpMillis of JMH, in as many iterations
 * @param iterations of JMH
 * @param iterationMillis of each
 * @param programWarmUpMillis of a program: until what it does is compiled, and a virtual machine's
 *     host has given it the memory
 * @param programMillis that a program measures
 * @param settleMillis between freeing memory and looking at what is resident
 */
record Effort(
        int rounds,
        int warmUpMillis,
        int iterations,
        int iterationMillis,
        int programWarmUpMillis,
        int programMillis,
        int settleMillis) {

    static final Effort FULL = new Effort(5, 720, 4, 120, 2000, 400, 3000);
    static final Effort QUICK = new Effort(2, 600, 3, 100, 700, 300, 1500);
    static final Effort SMOKE = new Effort(1, 50, 1, 50, 50, 50, 50);

    Effort withRounds(int rounds) {
        return new Effort(
                rounds,
                warmUpMillis,
                iterations,
                iterationMillis,
                programWarmUpMillis,
                programMillis,
                settleMillis);
    }

    /** Returns the arguments of a program. */
    List<String> arguments() {
        return List.of(
                "warmup=" + programWarmUpMillis,
                "millis=" + programMillis,
                "settle=" + settleMillis);
    }
}
