package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Library;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The excess memory of a block: the distance between neighbouring blocks of one size, less the size
 * rounded up to the alignment, divided by max(size, alignment). Sizes from 16 bytes to 256 KiB,
 * alignments 16, 64 and 4096.
 */
final class Waste {

    private static final long[] ALIGNMENTS = {16, 64, 4096};
    private static final long MOST_BYTES = 256 << 10;
    private static final long SMALL_BYTES = 1024;
    private static final int BLOCKS = 64;

    private Waste() {}

    static void run() {
        double small = 0;
        double large = 0;
        for (long alignment : ALIGNMENTS) {
            for (long size = 16; size <= MOST_BYTES; size = next(size)) {
                double waste = waste(size, alignment);
                if (size > SMALL_BYTES) {
                    large = Math.max(large, waste);
                } else {
                    small = Math.max(small, waste);
                }
            }
        }
        Report.print(Figure.WASTE, 100 * Math.max(small, large));
        Report.print(Figure.WASTE_ABOVE_1K, 100 * large);
    }

    /** Every size up to 256; then 64 and one a doubling, which meet the limits of no class. */
    private static long next(long size) {
        return size < 256 ? size + 1 : size + size / 65 + 1;
    }

    private static double waste(long size, long alignment) {
        long[] addresses = new long[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            addresses[i] = Library.POOL.allocate(size, alignment).address();
        }
        long[] gaps = new long[BLOCKS - 1];
        Arrays.sort(addresses);
        for (int i = 0; i < gaps.length; i++) {
            gaps[i] = addresses[i + 1] - addresses[i];
        }
        Arrays.sort(gaps);
        long occupied = gaps[gaps.length / 2];
        for (long address : addresses) {
            Library.POOL.free(MemorySegment.ofAddress(address));
        }
        long least = (size + alignment - 1) & -alignment;
        return (double) (occupied - least) / Math.max(size, alignment);
    }
}
