package dev.kernelalloc.benchmarks.heap;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
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
public class OneBlockBenchmark {

    @Param("RAW")
    Peer peer;

    @Param("64")
    long size;

    @Param("16")
    long alignment;

    private Memory memory;
    private long value;

    public OneBlockBenchmark() {}

    @Setup
    public void make() {
        memory = peer.memory();
    }

    @Benchmark
    public long allocate() {
        return memory.once(size, alignment, value++);
    }

    @Benchmark
    public long allocateZeroed() {
        return memory.onceZeroed(size, alignment, value++);
    }
}
