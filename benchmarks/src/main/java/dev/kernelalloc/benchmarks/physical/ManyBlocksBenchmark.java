package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;

/**
 * 100,000 blocks of 512 B that are alive at once, as a driver has buffers of packets; the time is
 * that of one that is allocated, written and freed.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ManyBlocksBenchmark {

    private static final int BLOCKS = 100_000;
    private static final long BLOCK_BYTES = 512;
    private static final PhysicalAllocator PHYSICAL = PhysicalAllocator.create();
    private static final PhysicalAllocator PHYSICAL_OF_POOL =
            PhysicalAllocator.builder()
                    .request(PhysicalRequest.DEFAULT.toBuilder().pages(PagePolicy.HUGE_2M).build())
                    .build();
    private static final PoolAllocator POOL = PoolAllocator.create();

    private final MemorySegment[] blocks = new MemorySegment[BLOCKS];

    public ManyBlocksBenchmark() {}

    @Benchmark
    @OperationsPerInvocation(BLOCKS)
    public MemorySegment physical() {
        return allOf(PHYSICAL);
    }

    /** Of the huge page pool. */
    @Benchmark
    @OperationsPerInvocation(BLOCKS)
    public MemorySegment pool2M() {
        return allOf(PHYSICAL_OF_POOL);
    }

    @Benchmark
    @OperationsPerInvocation(BLOCKS)
    public MemorySegment pool() {
        return allOf(POOL);
    }

    private MemorySegment allOf(KernelAllocator allocator) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = allocator.allocate(BLOCK_BYTES, 64);
            blocks[i].set(ValueLayout.JAVA_LONG, 0, i);
        }
        for (MemorySegment block : blocks) {
            allocator.free(block);
        }
        return blocks[0];
    }
}
