package dev.kernelalloc.benchmarks;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * One value a round.
 *
 * @param values NaN where a round failed
 */
record Samples(double[] values) {

    /** NaN when a round failed: half a result is none. */
    double median() {
        if (values.length == 0 || Arrays.stream(values).anyMatch(Double::isNaN)) {
            return Double.NaN;
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** The ratio to others, round by round. */
    Samples over(Samples others) {
        return new Samples(
                IntStream.range(0, values.length)
                        .mapToDouble(round -> values[round] / others.values[round])
                        .toArray());
    }

    /** The median, the least and the most. */
    @Override
    public String toString() {
        double median = median();
        if (Double.isNaN(median)) {
            return "failed";
        }
        return "%s (%s, %s)"
                .formatted(
                        text(median),
                        text(Arrays.stream(values).min().orElseThrow()),
                        text(Arrays.stream(values).max().orElseThrow()));
    }

    static String text(double value) {
        return Math.abs(value) < 100 ? "%.2f".formatted(value) : "%,.0f".formatted(value);
    }
}
