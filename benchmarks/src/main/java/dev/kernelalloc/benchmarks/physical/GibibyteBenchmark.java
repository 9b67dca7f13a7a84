package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/** One GiB of fresh huge pages, and back with it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class GibibyteBenchmark {

    private static final long BYTES = 1L << 30;
    private static final PhysicalRequest REQUEST =
            PhysicalRequest.ofBytes(BYTES)
                    .pages(PagePolicy.HUGE_ONLY)
                    .atLeast(Guarantee.NEVER_MOVED)
                    .build();

    private final PhysicalAllocator allocator = PhysicalAllocator.create();
    private final OwnMapping mapping = new OwnMapping();

    public GibibyteBenchmark() {}

    /** Populated, locked, pinned, and resolved. */
    @Benchmark
    public long prepared() {
        MemorySegment block = allocator.allocate(REQUEST);
        allocator.free(block);
        return block.address();
    }

    /** Zeros written once. */
    @Benchmark
    public long memset() {
        return mapping.filled(BYTES);
    }
}
