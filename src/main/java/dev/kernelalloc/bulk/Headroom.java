package dev.kernelalloc.bulk;

import org.jspecify.annotations.Nullable;

/**
 * Room on the stack and on the Java heap for what a first use initialises.
 *
 * <p>A class whose static initializer throws can never be used again: every later use is a {@code
 * NoClassDefFoundError}. So an {@code OutOfMemoryError} or a {@code StackOverflowError}, if there
 * must be one, is thrown here, before the first initializer of the library runs, and the next use
 * starts again. Measured on Linux: the first allocation of a pool takes 44 KiB of stack,
 * interpreted, and holds less than 2 MiB of the Java heap at once.
 */
public final class Headroom {

    /** The number of frames, of some 350 bytes each when interpreted: 64 KiB. */
    private static final int FRAMES = 190;

    /** Small ones, so that a small heap need not have so much in one piece. */
    private static final int PIECE_BYTES = 64 << 10;

    private static final int PIECES = 64;

    /** A store here is not optimised away. */
    private static volatile byte @Nullable [][] taken;

    private Headroom() {}

    /**
     * Makes sure that there is room.
     *
     * @throws StackOverflowError when the stack of the calling thread is nearly used up
     * @throws OutOfMemoryError when the Java heap is
     */
    public static void require() {
        descend(FRAMES, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
        if (isMuchFree()) {
            return; // at most first uses: the pages of the pieces would cost milliseconds
        }
        byte[][] pieces = new byte[PIECES][];
        taken = pieces;
        try {
            for (int i = 0; i < PIECES; i++) {
                pieces[i] = new byte[PIECE_BYTES];
            }
        } finally {
            taken = null;
        }
    }

    /**
     * Whether a look is enough. Free memory includes the ends of regions that no object fits in, so
     * a quarter of the heap must be free.
     */
    private static boolean isMuchFree() {
        Runtime runtime = Runtime.getRuntime();
        long free = runtime.freeMemory();
        return free >= 4L * PIECES * PIECE_BYTES && free >= runtime.totalMemory() / 4;
    }

    private static long descend(
            int frames,
            long a,
            long b,
            long c,
            long d,
            long e,
            long f,
            long g,
            long h,
            long i,
            long j,
            long k,
            long l,
            long m,
            long n,
            long o,
            long p) {
        return frames == 0
                ? a
                : descend(frames - 1, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, a) + p;
    }
}
