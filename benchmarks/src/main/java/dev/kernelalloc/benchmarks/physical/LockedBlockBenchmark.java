package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;

/**
 * A locked block whose address is known: of an allocator, and by the system calls that each would
 * take.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LockedBlockBenchmark {

    private static final PhysicalAllocator PHYSICAL = PhysicalAllocator.create();
    private static final PoolAllocator POOL = PoolAllocator.create();

    @Param("64")
    long size;

    private final OwnMapping mapping = new OwnMapping();
    private long value;

    public LockedBlockBenchmark() {}

    @Benchmark
    public long physical() {
        MemorySegment block = PHYSICAL.allocate(size, 64);
        block.set(ValueLayout.JAVA_LONG, 0, value++);
        long read = block.get(ValueLayout.JAVA_LONG, size - Long.BYTES);
        PHYSICAL.free(block);
        return read;
    }

    @Benchmark
    public long pool() {
        MemorySegment block = POOL.allocate(size, 64);
        block.set(ValueLayout.JAVA_LONG, 0, value++);
        long read = block.get(ValueLayout.JAVA_LONG, size - Long.BYTES);
        POOL.free(block);
        return read;
    }

    @Benchmark
    public long systemCalls() {
        return mapping.once();
    }
}
