package dev.kernelalloc.netty.benchmarks;

import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Compares the allocator with Netty's own. A round runs each allocator once, in a process of its
 * own; a ratio is taken inside a round, to the better of Netty's two.
 */
public final class Benchmarks {

    private static final int ROUNDS = Integer.getInteger("rounds", 5);

    private static final String[] FLAGS = {
        "--enable-native-access=ALL-UNNAMED",
        "-Dio.netty.leakDetection.level=disabled",
        "-Djmh.executor=CUSTOM",
        "-Djmh.executor.class=" + BufferBenchmark.NettyThreads.class.getName(),
        "-Xms512m",
        "-Xmx512m"
    };

    /** The figures of one row: for each allocator one a round. */
    private record Row(String unit, Map<Peer, List<Double>> figures) {

        Row(String unit) {
            this(unit, new EnumMap<>(Peer.class));
        }

        void add(Peer peer, double figure) {
            figures.computeIfAbsent(peer, _ -> new ArrayList<>()).add(figure);
        }

        private DoubleStream ratios() {
            return IntStream.range(0, ROUNDS)
                    .mapToDouble(
                            round ->
                                    of(Peer.KERNEL, round)
                                            / Math.min(
                                                    of(Peer.ADAPTIVE, round),
                                                    of(Peer.POOLED, round)));
        }

        private double of(Peer peer, int round) {
            return figures.get(peer).get(round);
        }

        String shown(String name) {
            StringBuilder line = new StringBuilder("| " + name + " ");
            for (Peer peer : Peer.values()) {
                line.append("| ").append(spread(figures.get(peer).stream().mapToDouble(f -> f)));
                line.append(' ').append(unit).append(' ');
            }
            return line.append("| ").append(spread(ratios())).append(" |").toString();
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
    }

    private Benchmarks() {}

    /** Prints a table. */
    public static void main(String[] args) throws Exception {
        Map<String, Row> rows = new LinkedHashMap<>();
        for (int round = 0; round < ROUNDS; round++) {
            for (String bytes : List.of("256", "4096", "65536")) {
                Row row =
                        rows.computeIfAbsent(
                                "allocate, touch, release " + bytes + " B", _ -> new Row("ns"));
                for (Peer peer : Peer.values()) {
                    row.add(peer, processorNanos(BufferBenchmark.class, peer, bytes));
                }
            }
            Row requests = rows.computeIfAbsent("16 requests of an event loop", _ -> new Row("ns"));
            Row retained =
                    rows.computeIfAbsent(
                            "retained 5 s after a burst of 256 MiB", _ -> new Row("MiB"));
            for (Peer peer : Peer.values()) {
                requests.add(peer, processorNanos(EventLoopBenchmark.class, peer, null));
                retained.add(peer, retainedMebibytes(peer));
            }
        }
        System.out.println("| work | kernel | adaptive | pooled | kernel ÷ better |");
        System.out.println("|---|---:|---:|---:|---:|");
        rows.forEach((name, row) -> System.out.println(row.shown(name)));
    }

    private static double processorNanos(Class<?> benchmark, Peer peer, @Nullable String bytes)
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

    private static double retainedMebibytes(Peer peer) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(
                List.of(
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dio.netty.leakDetection.level=disabled",
                        "-Xms512m",
                        "-Xmx512m",
                        "-XX:+AlwaysPreTouch",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Retained.class.getName(),
                        peer.name()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException(output);
        }
        String bytes =
                output.lines().filter(l -> l.startsWith("retained ")).findFirst().orElseThrow();
        return Long.parseLong(bytes.substring("retained ".length())) / (double) (1 << 20);
    }
}
