package dev.kernelalloc.arrow.benchmarks;

import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.util.concurrent.TimeUnit;

/** Ten million rows are written to a vector that grows, and read. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RowsBenchmark {

    private static final int ROWS = 10_000_000;

    @Param Peer peer;

    private BufferAllocator root;

    @Setup
    public void create() {
        root = peer.root();
    }

    @Benchmark
    @OperationsPerInvocation(ROWS)
    public long writeRead() {
        try (BigIntVector vector = new BigIntVector("numbers", root)) {
            for (int i = 0; i < ROWS; i++) {
                vector.setSafe(i, i);
            }
            vector.setValueCount(ROWS);
            long sum = 0;
            for (int i = 0; i < ROWS; i++) {
                sum += vector.get(i);
            }
            return sum;
        }
    }
}
