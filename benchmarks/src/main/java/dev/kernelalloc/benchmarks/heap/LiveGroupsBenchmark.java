package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Who holds memory now, of a million live blocks of 64 B, beside the statistics of the same
 * allocator. One block in 1,024 is tracked, from two allocation sites: exactly, because {@link
 * Tracking#SAMPLED} selects fewer if they are allocated as fast as here.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LiveGroupsBenchmark {

    private static final int BLOCKS = 1_000_000;
    private static final int ONE_IN = 1024;
    private static final long BYTES = 64;

    private final PoolAllocator pool = PoolAllocator.create();

    public LiveGroupsBenchmark() {}

    @Setup
    public void allocate() {
        int tracked = 0;
        pool.tracking(Tracking.OFF);
        for (int i = 0; i < BLOCKS; i++) {
            if (i % ONE_IN == 0) {
                pool.tracking(Tracking.ALL);
                allocateTracked(tracked++);
                pool.tracking(Tracking.OFF);
            } else {
                pool.allocate(BYTES, Long.BYTES);
            }
        }
        long found = liveGroups().stream().mapToLong(LiveBlocksException.Group::owners).sum();
        if (found != tracked) {
            throw new IllegalStateException("tracked=" + tracked + " found=" + found);
        }
    }

    private void allocateTracked(int number) {
        if (number % 2 == 0) {
            pool.allocate(BYTES, Long.BYTES);
        } else {
            pool.allocateZeroed(BYTES, Long.BYTES);
        }
    }

    @Benchmark
    public List<LiveBlocksException.Group> liveGroups() {
        return pool.liveGroups();
    }

    @Benchmark
    public AllocatorStats stats() {
        return pool.stats();
    }
}
