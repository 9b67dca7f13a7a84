package dev.kernelalloc.benchmarks.heap;

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

/** 64 blocks of one size allocated, then all freed. An operation is one block. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BurstBenchmark {

    static final int LIVE = 64;

    @Param("RAW")
    Peer peer;

    @Param("4096")
    long size;

    @Param("16")
    long alignment;

    private Blocks blocks;
    private long value;

    public BurstBenchmark() {}

    @Setup
    public void make() {
        blocks = peer.memory().blocks(LIVE);
    }

    @Benchmark
    @OperationsPerInvocation(LIVE)
    public long allocateAllFreeAll() {
        for (int slot = 0; slot < LIVE; slot++) {
            blocks.allocate(slot, size, alignment, value++);
        }
        long sum = 0;
        for (int slot = 0; slot < LIVE; slot++) {
            sum += blocks.free(slot);
        }
        return sum;
    }
}
