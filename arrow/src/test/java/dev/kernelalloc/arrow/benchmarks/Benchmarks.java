package dev.kernelalloc.arrow.benchmarks;

import dev.kernelalloc.comparison.Comparison;

import org.openjdk.jmh.runner.RunnerException;

import java.util.List;

/** Compares the manager of memory with Arrow's own. */
public final class Benchmarks {

    private static final int ROUNDS = Integer.getInteger("rounds", 5);

    private Benchmarks() {}

    /** Prints a table, of nanoseconds of processor time for each operation. */
    public static void main(String[] args) throws RunnerException {
        Comparison<Peer> comparison =
                new Comparison<>(
                        Peer.class,
                        "--enable-native-access=ALL-UNNAMED",
                        "--add-opens=java.base/java.nio=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-Xms512m",
                        "-Xmx512m");
        for (int round = 0; round < ROUNDS; round++) {
            for (Peer peer : Peer.values()) {
                for (String bytes : List.of("256", "4096", "65536", "1048576")) {
                    String row = "allocate, touch, release " + bytes + " B";
                    comparison.measure(row, BufferBenchmark.class, peer, bytes);
                }
                comparison.measure(
                        "write and read a row, of ten million", RowsBenchmark.class, peer, null);
            }
        }
        comparison.print();
    }
}
