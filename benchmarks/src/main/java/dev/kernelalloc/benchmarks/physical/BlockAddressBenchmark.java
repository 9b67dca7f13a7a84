package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/** Physical addresses of random ones of 16,384 blocks of 4 KiB, as {@code of_block} in dpdk.c. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BlockAddressBenchmark {

    private static final int LOOK_UPS = 1024;
    private static final int BLOCKS = 16_384;
    private static final int BLOCK_BYTES = 4096;

    private final MemorySegment[] blocks = new MemorySegment[BLOCKS];
    private final PhysicalAllocator allocator =
            PhysicalAllocator.builder()
                    .request(PhysicalRequest.DEFAULT.toBuilder().pages(PagePolicy.HUGE_2M).build())
                    .build();
    private long random = 1;

    public BlockAddressBenchmark() {}

    @Setup
    public void allocate() {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = allocator.allocate(BLOCK_BYTES, 64);
        }
    }

    @Benchmark
    @OperationsPerInvocation(LOOK_UPS)
    public long addressOf() {
        long sum = 0;
        long next = random;
        for (int i = 0; i < LOOK_UPS; i++) {
            next = next * 6364136223846793005L + 1442695040888963407L;
            sum += allocator.addressOf(blocks[(int) (next >>> 20) & BLOCKS - 1]).value();
        }
        random = next;
        return sum;
    }
}
