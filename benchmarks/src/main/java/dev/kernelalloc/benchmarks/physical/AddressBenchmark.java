package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/** Physical addresses, over 64 MiB; needs the right to see frames. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class AddressBenchmark {

    private static final long BYTES = 64L << 20;
    private static final int PAGE_SHIFT = 12;
    private static final int LEAF_SHIFT = 21;

    private PhysicalAllocator allocator;
    private MemorySegment block;
    private long at;

    /** A hand-written table of a driver: a leaf for each 2 MiB, an entry for each page. */
    private long[][] table;

    private long visitedBytes;
    private final ExtentVisitor visitor = (_, bytes) -> visitedBytes += bytes;

    public AddressBenchmark() {}

    @Setup
    public void make() {
        allocator = PhysicalAllocator.create();
        block =
                allocator.allocate(
                        PhysicalRequest.ofBytes(BYTES).pages(PagePolicy.HUGE_2M).build());
        table = new long[(int) (BYTES >>> LEAF_SHIFT)][1 << LEAF_SHIFT - PAGE_SHIFT];
        for (long offset = 0; offset < BYTES; offset += 1 << PAGE_SHIFT) {
            table[(int) (offset >>> LEAF_SHIFT)][(int) (offset >>> PAGE_SHIFT) & 511] =
                    allocator.addressOf(block, offset).value();
        }
    }

    @TearDown
    public void release() {
        allocator.free(block);
        allocator.close();
    }

    /** Another page each time. */
    private long next() {
        at = at + 1_000_003 & BYTES - 1;
        return at;
    }

    @Benchmark
    public long addressOf() {
        return allocator.addressOf(block, next()).value();
    }

    @Benchmark
    public long plainTable() {
        long offset = next();
        return table[(int) (offset >>> LEAF_SHIFT)][(int) (offset >>> PAGE_SHIFT) & 511]
                + (offset & (1 << PAGE_SHIFT) - 1);
    }

    @Benchmark
    public long virtualAddressOf() {
        return allocator.virtualAddressOf(allocator.addressOf(block, next())).orElseThrow();
    }

    /** The sizes only; another lambda each time would be garbage of the benchmark. */
    @Benchmark
    public long extentsVisited() {
        visitedBytes = 0;
        allocator.extents(block, 1 << 16, 0, visitor);
        return visitedBytes;
    }

    @Benchmark
    public int extents() {
        return allocator.extents(block).size();
    }
}
