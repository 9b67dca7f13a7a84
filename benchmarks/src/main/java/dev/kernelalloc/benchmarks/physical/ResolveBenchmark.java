package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.frames.PageMap;
import dev.kernelalloc.frames.Pages;
import dev.kernelalloc.frames.Preflight;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * Resolves the pages of 64 MiB, as is done once for every slab; the time is that of one page of 4
 * KiB.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ResolveBenchmark {

    private static final int PAGE_BYTES = 4096;
    private static final int PAGES = 16_384;

    @Param("BASE")
    PagePolicy policy;

    private final OperatingSystem os = Platform.current();
    private final Pages pages =
            new Pages(
                    os,
                    Preflight.of(os),
                    new PageMap(os, OptionalInt.empty()),
                    new MappingName(os, "resolved"));
    private final MemorySegment callState = Arena.global().allocate(CallState.LAYOUT);
    private final long[] entry = new long[1];
    private final MemorySegment scratch = Arena.global().allocate(ValueLayout.JAVA_LONG);
    private PhysicalAllocator allocator;
    private MemorySegment block;

    public ResolveBenchmark() {}

    @Setup
    public void make() {
        allocator = PhysicalAllocator.create();
        block =
                allocator.allocate(
                        PhysicalRequest.ofBytes((long) PAGES * PAGE_BYTES).pages(policy).build());
    }

    @TearDown
    public void release() {
        allocator.free(block);
        allocator.close();
    }

    @Benchmark
    @OperationsPerInvocation(PAGES)
    public boolean asOneSlab() {
        return pages.resolve(block.address(), block.byteSize(), false, callState).isKnown();
    }

    @Benchmark
    @OperationsPerInvocation(PAGES)
    public long verified() {
        return allocator.verify(block).checkedPages();
    }

    @Benchmark
    @OperationsPerInvocation(PAGES)
    public long pageByPage() throws Refusal {
        long all = 0;
        for (long offset = 0; offset < block.byteSize(); offset += PAGE_BYTES) {
            pages.read(block.address() + offset, entry, 1, scratch, callState);
            all += entry[0];
        }
        return all;
    }
}
