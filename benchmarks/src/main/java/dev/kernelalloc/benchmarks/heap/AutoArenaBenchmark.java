package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.PoolAllocator;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.CompilerControl;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.Arena;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * An arena for one block of 64 B that the garbage collector ends. An invocation opens 50,000,
 * collects them, and waits until all blocks are free again, so the figure includes what the
 * collector and the thread of the cleaner do.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class AutoArenaBenchmark {

    private static final int ARENAS = 50_000;
    private static final long BYTES = 64;
    private static final long POLL_NANOS = 500_000;

    private static final PoolAllocator POOL = PoolAllocator.create();

    /** Counts the blocks of the JDK's arenas too, as both are bounded together. */
    private static final BufferPoolMXBean DIRECT =
            ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                    .filter(pool -> pool.getName().equals("direct"))
                    .findFirst()
                    .orElseThrow();

    public AutoArenaBenchmark() {}

    @Benchmark
    @OperationsPerInvocation(ARENAS)
    public long autoArena() {
        long before = POOL.stats().liveBlocks();
        long sum = openThem();
        await(() -> POOL.stats().liveBlocks() <= before);
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(ARENAS)
    public long jdkAuto() {
        long before = DIRECT.getCount();
        long sum = openThoseOfTheJdk();
        await(() -> DIRECT.getCount() <= before);
        return sum;
    }

    /** A method of its own, after which no frame refers to an arena. */
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    private static long openThem() {
        long sum = 0;
        for (int i = 0; i < ARENAS; i++) {
            sum += Touch.of(POOL.autoArena().allocate(BYTES, Long.BYTES), i);
        }
        return sum;
    }

    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    private static long openThoseOfTheJdk() {
        long sum = 0;
        for (int i = 0; i < ARENAS; i++) {
            sum += Touch.of(Arena.ofAuto().allocate(BYTES, Long.BYTES), i);
        }
        return sum;
    }

    private static void await(BooleanSupplier cleaned) {
        System.gc();
        while (!cleaned.getAsBoolean()) {
            LockSupport.parkNanos(POLL_NANOS); // counting the blocks takes the cleaner's time
        }
    }
}
