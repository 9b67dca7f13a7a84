package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.benchmarks.Figure;

import org.HdrHistogram.Histogram;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How long each {@code allocate(4096)} takes while 120 MiB of blocks come alive and are freed
 * again, over and over; slabs that become idle are released in between, as the library does by
 * itself after a pause.
 */
public final class Tail {

    private static final int BLOCK_BYTES = 4096;
    private static final int BLOCKS = (120 << 20) / BLOCK_BYTES;
    private static final long RESERVED_BYTES = 160L << 20;
    private static final long MOST_NANOS = 60_000_000_000L;
    private static final double NANOS_A_MICROSECOND = 1000;

    private Tail() {}

    /**
     * Measures, and prints the figures.
     *
     * @param reserved whether memory is prepared ahead
     * @param warmUpMillis that are not recorded
     * @param millis that are
     */
    public static void run(boolean reserved, int warmUpMillis, int millis) {
        try (PhysicalAllocator allocator = PhysicalAllocator.create()) {
            if (reserved) {
                allocator.reserve(RESERVED_BYTES);
            }
            measure(allocator, warmUpMillis);
            Histogram nanos = measure(allocator, millis);
            print(Figure.MEDIAN, nanos.getValueAtPercentile(50));
            print(Figure.TAIL, nanos.getValueAtPercentile(99.99));
            print(Figure.LONGEST, nanos.getMaxValue());
        }
    }

    private static void print(Figure figure, long nanos) {
        System.out.println(figure.name() + " " + nanos / NANOS_A_MICROSECOND);
    }

    private static Histogram measure(PhysicalAllocator allocator, int millis) {
        Histogram nanos = new Histogram(MOST_NANOS, 3);
        MemorySegment[] blocks = new MemorySegment[BLOCKS];
        long begin = System.nanoTime();
        do {
            for (int i = 0; i < BLOCKS; i++) {
                long before = System.nanoTime();
                MemorySegment block = allocator.allocate(BLOCK_BYTES, 64);
                nanos.recordValue(System.nanoTime() - before);
                block.set(ValueLayout.JAVA_LONG, 0, i);
                blocks[i] = block;
            }
            for (MemorySegment block : blocks) {
                allocator.free(block);
            }
            allocator.trim();
        } while (System.nanoTime() - begin < millis * 1_000_000L);
        return nanos;
    }
}
