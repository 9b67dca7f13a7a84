package dev.kernelalloc.netty.benchmarks;

import dev.kernelalloc.comparison.Comparison;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Compares the allocator with Netty's own. */
public final class Benchmarks {

    private static final int ROUNDS = Integer.getInteger("rounds", 5);

    private Benchmarks() {}

    /** Prints a table. */
    public static void main(String[] args) throws Exception {
        Comparison<Peer> comparison =
                new Comparison<>(
                        Peer.class,
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dio.netty.leakDetection.level=disabled",
                        "-Djmh.executor=CUSTOM",
                        "-Djmh.executor.class=" + BufferBenchmark.NettyThreads.class.getName(),
                        "-Xms512m",
                        "-Xmx512m");
        for (int round = 0; round < ROUNDS; round++) {
            for (String bytes : List.of("256", "4096", "65536")) {
                for (Peer peer : Peer.values()) {
                    String row = "allocate, touch, release " + bytes + " B";
                    comparison.measure(row, BufferBenchmark.class, peer, bytes);
                }
            }
            for (Peer peer : Peer.values()) {
                comparison.measure(
                        "16 requests of an event loop", EventLoopBenchmark.class, peer, null);
                comparison.add(
                        "retained 5 s after a burst of 256 MiB",
                        "MiB",
                        peer,
                        retainedMebibytes(peer));
            }
        }
        comparison.print();
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
