package dev.kernelalloc.benchmarks;

import org.openjdk.jmh.results.RunResult;

import java.util.EnumMap;
import java.util.Map;

/**
 * The result of one fork.
 *
 * @param figures the reported figures; none if it failed
 */
record Measured(Map<Figure, Double> figures) {

    static final Measured FAILED = new Measured(Map.of());

    static Measured of(RunResult result) {
        Map<Figure, Double> figures = new EnumMap<>(Figure.class);
        figures.put(Figure.NANOS, result.getPrimaryResult().getScore());
        var secondary = result.getSecondaryResults();
        secondary.keySet().stream()
                .filter(name -> name.endsWith("gc.alloc.rate.norm"))
                .findFirst()
                .ifPresent(name -> figures.put(Figure.HEAP_BYTES, secondary.get(name).getScore()));
        return new Measured(figures);
    }

    /** Parses the output of a program: a line for each figure, other lines are for people. */
    static Measured of(Iterable<String> lines) {
        Map<Figure, Double> figures = new EnumMap<>(Figure.class);
        for (String line : lines) {
            for (Figure figure : Figure.values()) {
                String start = figure.name() + " ";
                if (line.startsWith(start)) {
                    figures.put(figure, Double.valueOf(line.substring(start.length())));
                }
            }
        }
        return new Measured(figures);
    }

    /** NaN where it was not measured. */
    double get(Figure figure) {
        return figures.getOrDefault(figure, Double.NaN);
    }
}
