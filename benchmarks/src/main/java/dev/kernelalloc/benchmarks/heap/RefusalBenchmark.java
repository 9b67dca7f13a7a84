package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.PoolAllocator;

import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.RootAllocator;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A request that a limit of 1 MiB refuses, while other threads keep the processors busy or not. The
 * limit is full, so what is asked for fits it or does not.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RefusalBenchmark {

    private static final long LIMIT_BYTES = 1 << 20;
    private static final long BLOCK_BYTES = 1_000;

    private static final class Arrow {
        static final BufferAllocator ROOT = new RootAllocator(LIMIT_BYTES);

        /** Full, to less than a block. */
        static {
            while (ROOT.getHeadroom() >= 1024) {
                ROOT.buffer(1024);
            }
        }
    }

    private static final class Library {
        static final PoolAllocator POOL = PoolAllocator.builder().limit(LIMIT_BYTES).build();

        static {
            while (POOL.tryAllocate(BLOCK_BYTES, 8).isPresent()) {
                // full, and it stays so
            }
        }
    }

    @Param({"8388608", "1000"})
    long bytes;

    @Param({"0", "8"})
    int busyThreads;

    private final List<Thread> busy = new ArrayList<>();
    private volatile boolean ended;
    private volatile long spins;

    public RefusalBenchmark() {}

    @Setup
    public void startBusyThreads() {
        for (int i = 0; i < busyThreads; i++) {
            busy.add(Thread.ofPlatform().daemon().start(this::spin));
        }
    }

    @TearDown
    public void endBusyThreads() throws InterruptedException {
        ended = true;
        for (Thread thread : busy) {
            thread.join();
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate")
    private void spin() {
        while (!ended) {
            spins++;
        }
    }

    @Benchmark
    public boolean library() {
        return Library.POOL.tryAllocate(bytes, 8).isPresent();
    }

    @Benchmark
    public boolean arrow() {
        try {
            Arrow.ROOT.buffer(bytes);
            return true;
        } catch (OutOfMemoryException e) {
            return false;
        }
    }
}
