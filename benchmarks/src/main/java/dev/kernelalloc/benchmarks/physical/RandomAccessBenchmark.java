package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;

/** A load from anywhere in 256 MiB, whose place depends on the load before it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RandomAccessBenchmark {

    private static final long BYTES = 256L << 20;

    @Param("BASE")
    PagePolicy policy;

    private PhysicalAllocator allocator;
    private MemorySegment block;
    private long state = 42;

    public RandomAccessBenchmark() {}

    @Setup
    public void make() {
        allocator = PhysicalAllocator.create();
        block = allocator.allocate(PhysicalRequest.ofBytes(BYTES).pages(policy).build());
    }

    @TearDown
    public void release() {
        allocator.free(block);
        allocator.close();
    }

    @Benchmark
    public long load() {
        state = state * 6_364_136_223_846_793_005L + 1_442_695_040_888_963_407L;
        long offset = state >>> 20 & BYTES - Long.BYTES;
        long loaded = block.get(ValueLayout.JAVA_LONG, offset);
        state += loaded;
        return loaded;
    }
}
