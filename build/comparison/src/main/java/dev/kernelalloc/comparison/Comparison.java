package dev.kernelalloc.comparison;

import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * A table of figures, for ours and its peers. A round runs each of them once, in a process of its
 * own; a ratio is taken within a round, to the better of the peers.
 *
 * @param <P> ours, the first constant, and the peers; a benchmark has a parameter {@code peer} with
 *     the names
 */
public final class Comparison<P extends Enum<P>> {

    private final List<P> all;
    private final String[] flags;
    private final Map<String, Row> rows = new LinkedHashMap<>();

    /** The figures of one row: for each of all, one a round. */
    private record Row(String unit, List<List<Double>> figures) {

        List<Double> ratios() {
            return IntStream.range(0, figures.getFirst().size()).mapToObj(this::ratio).toList();
        }

        private double ratio(int round) {
            DoubleStream peers = figures.stream().skip(1).mapToDouble(of -> of.get(round));
            return figures.getFirst().get(round) / peers.min().orElseThrow();
        }
    }

    /**
     * Creates an empty table.
     *
     * @param all ours and the peers, ours first
     * @param flags the flags of the JVMs that run benchmarks
     */
    public Comparison(Class<P> all, String... flags) {
        this.all = List.of(all.getEnumConstants());
        this.flags = flags.clone();
    }

    /**
     * Adds a figure of this round.
     *
     * @param row the name of the row
     * @param unit the unit of its figures
     * @param peer which of all it is for
     * @param figure less is better
     */
    public void add(String row, String unit, P peer, double figure) {
        rows.computeIfAbsent(row, _ -> new Row(unit, all.stream().map(_ -> none()).toList()))
                .figures()
                .get(all.indexOf(peer))
                .add(figure);
    }

    private static List<Double> none() {
        return new ArrayList<>();
    }

    /**
     * Runs a benchmark for one of all, and adds its processor time for each operation.
     *
     * @param row the name of the row
     * @param benchmark a class with one benchmark
     * @param peer which of all to run
     * @param bytes the value of the parameter {@code bytes}, or null if it has none
     */
    public void measure(String row, Class<?> benchmark, P peer, @Nullable String bytes)
            throws RunnerException {
        var options =
                new OptionsBuilder()
                        .include(benchmark.getName() + "\\.")
                        .param("peer", peer.name())
                        .forks(1)
                        .jvmArgs(flags)
                        .warmupIterations(3)
                        .warmupTime(TimeValue.seconds(1))
                        .measurementIterations(3)
                        .measurementTime(TimeValue.seconds(1))
                        .addProfiler(ProcessorTime.class)
                        .verbosity(VerboseMode.SILENT);
        if (bytes != null) {
            options.param("bytes", bytes);
        }
        RunResult result = new Runner(options.build()).runSingle();
        add(row, "ns", peer, result.getSecondaryResults().get(ProcessorTime.NAME).getScore());
    }

    /** Prints the table: medians, with the least and the greatest in parentheses. */
    public void print() {
        String names =
                all.stream()
                        .map(peer -> peer.name().toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining(" | "));
        System.out.println("| work | " + names + " | " + ours() + " ÷ better |");
        System.out.println("|---|" + "---:|".repeat(all.size() + 1));
        rows.forEach(
                (name, row) -> {
                    StringBuilder line = new StringBuilder("| " + name + " ");
                    for (List<Double> figures : row.figures()) {
                        line.append("| ").append(spread(figures));
                        line.append(' ').append(row.unit()).append(' ');
                    }
                    System.out.println(line + "| " + spread(row.ratios()) + " |");
                });
    }

    private String ours() {
        return all.getFirst().name().toLowerCase(Locale.ROOT);
    }

    private static String spread(List<Double> figures) {
        double[] sorted = figures.stream().mapToDouble(figure -> figure).sorted().toArray();
        return String.format(
                Locale.ROOT,
                "%.2f (%.2f, %.2f)",
                sorted[sorted.length / 2],
                sorted[0],
                sorted[sorted.length - 1]);
    }
}
