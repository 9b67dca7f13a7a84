package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
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

import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/** Physical addresses at random places of huge pages, as {@code run_translate} in physical.c. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LookUpBenchmark {

    private static final int LOOK_UPS = 1024;

    @Param("67108864")
    long bytes;

    private PhysicalAllocator allocator;
    private MemorySegment block;
    private long random = 1;

    public LookUpBenchmark() {}

    @Setup
    public void make() {
        allocator = PhysicalAllocator.create();
        block =
                allocator.allocate(
                        PhysicalRequest.ofBytes(bytes).pages(PagePolicy.HUGE_ONLY).build());
    }

    @TearDown
    public void release() {
        allocator.free(block);
        allocator.close();
    }

    @Benchmark
    @OperationsPerInvocation(LOOK_UPS)
    public long addressOf() {
        long sum = 0;
        long next = random;
        long mask = bytes - 1;
        for (int i = 0; i < LOOK_UPS; i++) {
            next = next * 6364136223846793005L + 1442695040888963407L;
            sum += allocator.addressOf(block, next >>> 20 & mask).value();
        }
        random = next;
        return sum;
    }
}
