package dev.kernelalloc.benchmarks;

import org.openjdk.jmh.results.RunResult;

/**
 * What one fork measured.
 *
 * @param nanos an operation
 * @param bytes of the Java heap, allocated by an operation
 */
record Measured(double nanos, double bytes) {

    static Measured of(RunResult result) {
        var secondary = result.getSecondaryResults();
        double bytes =
                secondary.keySet().stream()
                        .filter(name -> name.endsWith("gc.alloc.rate.norm"))
                        .mapToDouble(name -> secondary.get(name).getScore())
                        .findFirst()
                        .orElse(Double.NaN);
        return new Measured(result.getPrimaryResult().getScore(), bytes);
    }
}
