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

/**
 * 64 live blocks of one size. An operation frees the oldest and allocates another in its place, so
 * a block that has just been freed is reused.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(Touch.OPERATIONS)
public class RingBenchmark {

    private static final int LIVE = 64;

    @Param("RAW")
    Peer peer;

    @Param("4096")
    long size;

    @Param("16")
    long alignment;

    private Blocks blocks;
    private long next;

    public RingBenchmark() {}

    @Setup
    public void fill() {
        blocks = peer.memory().blocks(LIVE);
        for (int slot = 0; slot < LIVE; slot++) {
            blocks.allocate(slot, size, alignment, slot);
        }
    }

    @Benchmark
    public long replaceOldest() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            int slot = (int) next++ & (LIVE - 1);
            sum += blocks.free(slot);
            blocks.allocate(slot, size, alignment, i);
        }
        return sum;
    }
}
