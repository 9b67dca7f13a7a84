package dev.kernelalloc.benchmarks.heap;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;

/** An arena with some allocations of 100 bytes, each touched; opened and closed by one thread. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ArenaBenchmark {

    private static final long BYTES = 100;

    @Param("10")
    int count;

    private long value;

    public ArenaBenchmark() {}

    /** Sets up the library before the clock runs, as its peers are set up with the JVM. */
    @Setup
    public void warm() {
        Library.POOL.arena().close();
    }

    @Benchmark
    public long jdkConfined() {
        try (Arena arena = Arena.ofConfined()) {
            return fill(arena);
        }
    }

    @Benchmark
    public long jdkShared() {
        try (Arena arena = Arena.ofShared()) {
            return fill(arena);
        }
    }

    @Benchmark
    public long jdkAuto() {
        return fill(Arena.ofAuto());
    }

    @Benchmark
    public long arena() {
        try (Arena arena = Library.POOL.arena()) {
            return fill(arena);
        }
    }

    @Benchmark
    public long sharedArena() {
        try (Arena arena = Library.POOL.sharedArena()) {
            return fill(arena);
        }
    }

    private long fill(Arena arena) {
        long sum = 0;
        for (int i = 0; i < count; i++) {
            sum += Touch.of(arena.allocate(BYTES, Long.BYTES), value++);
        }
        return sum;
    }
}
