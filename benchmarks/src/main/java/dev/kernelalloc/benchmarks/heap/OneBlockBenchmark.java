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

/** One block at a time: allocated, touched and freed by one thread. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(Touch.OPERATIONS)
public class OneBlockBenchmark {

    @Param("RAW")
    Peer peer;

    @Param("64")
    long size;

    @Param("16")
    long alignment;

    private Memory memory;

    public OneBlockBenchmark() {}

    @Setup
    public void make() {
        memory = peer.memory();
    }

    @Benchmark
    public long allocate() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            sum += memory.once(size, alignment, i);
        }
        return sum;
    }

    @Benchmark
    public long allocateZeroed() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            sum += memory.onceZeroed(size, alignment, i);
        }
        return sum;
    }
}
