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

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/** A block by request, populated, locked, resolved and freed, beside the system calls of that. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PrepareBenchmark {

    private static final int PAGE_BYTES = 4096;

    @Param("65536")
    long bytes;

    @Param("BASE")
    PagePolicy policy;

    private final OwnMapping mapping = new OwnMapping();
    private PhysicalAllocator allocator;
    private PhysicalRequest request;
    private MemorySegment entries;

    public PrepareBenchmark() {}

    @Setup
    public void make() {
        allocator = PhysicalAllocator.create();
        request = PhysicalRequest.ofBytes(bytes).pages(policy).build();
        entries = Arena.global().allocate(bytes / PAGE_BYTES * Long.BYTES, Long.BYTES);
    }

    @TearDown
    public void release() {
        allocator.close();
    }

    @Benchmark
    public long allocate() {
        MemorySegment block = allocator.allocate(request);
        long address = block.address();
        allocator.free(block);
        return address;
    }

    @Benchmark
    public long systemCalls() {
        return mapping.prepared(bytes, policy != PagePolicy.BASE, entries);
    }
}
