package dev.kernelalloc.arrow.benchmarks;

import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Compares the manager of memory with Arrow's own. A round runs each once, in a process of its own;
 * a ratio is taken inside a round, to the better of Arrow's two.
 */
public final class Benchmarks {

    private static final int ROUNDS = Integer.getInteger("rounds", 5);

    private static final String[] FLAGS = {
        "--enable-native-access=ALL-UNNAMED",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "-Xms512m",
        "-Xmx512m"
    };

    private Benchmarks() {}

    /** Prints a table, of nanoseconds of processor time for each operation. */
    public static void main(String[] args) throws RunnerException {
        Map<String, Map<Peer, List<Double>>> rows = new LinkedHashMap<>();
        for (int round = 0; round < ROUNDS; round++) {
            for (Peer peer : Peer.values()) {
                for (String bytes : List.of("256", "4096", "65536", "1048576")) {
                    add(
                            rows,
                            "allocate, touch, release " + bytes + " B",
                            peer,
                            nanos(BufferBenchmark.class, peer, bytes));
                }
                add(
                        rows,
                        "write and read a row, of ten million",
                        peer,
                        nanos(RowsBenchmark.class, peer, null));
            }
        }
        System.out.println("| work | kernel | Unsafe | Netty | kernel ÷ better |");
        System.out.println("|---|---:|---:|---:|---:|");
        rows.forEach(
                (name, figures) -> {
                    StringBuilder line = new StringBuilder("| " + name + " ");
                    for (Peer peer : Peer.values()) {
                        DoubleStream ofPeer = figures.get(peer).stream().mapToDouble(f -> f);
                        line.append("| ").append(spread(ofPeer)).append(" ns ");
                    }
                    System.out.println(line + "| " + spread(ratios(figures)) + " |");
                });
    }

    private static void add(
            Map<String, Map<Peer, List<Double>>> rows, String row, Peer peer, double figure) {
        rows.computeIfAbsent(row, _ -> new EnumMap<>(Peer.class))
                .computeIfAbsent(peer, _ -> new ArrayList<>())
                .add(figure);
    }

    private static DoubleStream ratios(Map<Peer, List<Double>> figures) {
        return IntStream.range(0, ROUNDS)
                .mapToDouble(
                        round ->
                                figures.get(Peer.KERNEL).get(round)
                                        / Math.min(
                                                figures.get(Peer.UNSAFE).get(round),
                                                figures.get(Peer.NETTY).get(round)));
    }

    private static String spread(DoubleStream figures) {
        double[] sorted = figures.sorted().toArray();
        return String.format(
                Locale.ROOT,
                "%.2f (%.2f, %.2f)",
                sorted[sorted.length / 2],
                sorted[0],
                sorted[sorted.length - 1]);
    }

    private static double nanos(Class<?> benchmark, Peer peer, @Nullable String bytes)
            throws RunnerException {
        var options =
                new OptionsBuilder()
                        .include(benchmark.getName() + "\\.")
                        .param("peer", peer.name())
                        .forks(1)
                        .jvmArgs(FLAGS)
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
        return result.getSecondaryResults().get(ProcessorTime.NAME).getScore();
    }
}
