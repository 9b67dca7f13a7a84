package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.NativeArray;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * One thread copies or fills 512 MiB; another requests a safepoint every millisecond, by a dump of
 * all stacks, and measures how long it waits. The figure is the longest wait within an operation.
 */
final class Safepoint {

    /** The operation and its implementation. */
    enum Way {
        COPY_BY_THE_LIBRARY,
        COPY_BY_THE_JDK,
        FILL_BY_THE_LIBRARY,
        FILL_BY_THE_JDK
    }

    private static final long BYTES = 512L << 20;
    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);
    private static final int SHORTEST_WAIT_MILLIS = 1;

    /** The longest wait of the operation that runs. */
    private static volatile long longestNanos;

    private Safepoint() {}

    static void run(Way way, int warmUpMillis, int millis) {
        try (PoolAllocator pool = PoolAllocator.create();
                NativeArray<MemorySegment> source =
                        NativeArray.zeroed(pool, LONG, BYTES / Long.BYTES)) {
            source.fill(MemorySegment.ofArray(new long[] {1})); // its pages are there
            Thread.ofPlatform().daemon().start(Safepoint::ask);
            measure(way, pool, source, warmUpMillis);
            measure(way, pool, source, millis).print();
        }
    }

    private record Result(double nanosEach, double longestMillis) {
        void print() {
            Report.print(Figure.NANOS, nanosEach);
            Report.print(Figure.SAFEPOINT, longestMillis);
        }
    }

    private static Result measure(
            Way way, PoolAllocator pool, NativeArray<MemorySegment> source, int millis) {
        long[] longest = new long[1 << 10];
        int times = 0;
        long before = System.nanoTime();
        do {
            longestNanos = 0;
            once(way, pool, source);
            longest[times++] = longestNanos;
        } while (System.nanoTime() - before < millis * 1_000_000L && times < longest.length);
        double nanos = (double) (System.nanoTime() - before) / times;
        Arrays.sort(longest, 0, times);
        return new Result(nanos, longest[times / 2] / 1e6);
    }

    private static void once(Way way, PoolAllocator pool, NativeArray<MemorySegment> source) {
        MemorySegment memory = source.segment();
        switch (way) {
            case COPY_BY_THE_LIBRARY -> NativeArray.copyOf(pool, source).close();
            case COPY_BY_THE_JDK -> {
                MemorySegment copy = pool.allocate(BYTES, Long.BYTES);
                copy.copyFrom(memory);
                pool.free(copy);
            }
            case FILL_BY_THE_LIBRARY -> source.fill(MemorySegment.ofArray(new long[] {2}));
            case FILL_BY_THE_JDK -> memory.fill((byte) 2);
        }
    }

    private static void ask() {
        try {
            while (true) {
                long before = System.nanoTime();
                Thread.getAllStackTraces();
                longestNanos = Math.max(longestNanos, System.nanoTime() - before);
                Thread.sleep(SHORTEST_WAIT_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
