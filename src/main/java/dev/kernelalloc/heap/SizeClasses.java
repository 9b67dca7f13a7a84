package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;

/**
 * The sizes of blocks: every multiple of 8 bytes up to 64, then eight sizes per doubling. So a
 * block is at most 12.5 % larger than the request rounded up to a multiple of its alignment and of
 * 8.
 *
 * <p>No class needs an alignment of its own. Between two powers of two the sizes are multiples of
 * one step, a power of two. A request rounded up to a multiple of its alignment lands either on a
 * step that is a multiple of the alignment, or, where steps are smaller than the alignment, exactly
 * on a size. Either way the size is a multiple of the alignment, and so is the address of every
 * block in a slab that starts at a multiple of {@link #MAX_ALIGNMENT_BYTES}.
 *
 * <p>{@link #of} is arithmetic: the JIT reduces it to a constant if the request is one. It is a
 * single formula without a branch, since varying sizes would mispredict it. {@link #ofAny} looks
 * sizes up to 16 KiB up in a table of bytes instead, after one test that refuses whatever is
 * invalid, too: fewer instructions where the size varies.
 */
public final class SizeClasses {

    /** The size and alignment of every block is a multiple of this. */
    static final int QUANTUM_BYTES = 8;

    /** The size of the largest class. */
    static final int MAX_BYTES = 16 << 20;

    /** The largest alignment that has a class. */
    static final int MAX_ALIGNMENT_BYTES = 64 << 10;

    /** The number of classes: 8, 16 … 64 bytes, and eight for each of 18 doublings. */
    static final int COUNT = 8 + 8 * 18;

    /** The result for a request that is too large for any class. */
    static final int NONE = COUNT;

    /** The largest rounded request that {@link #ofAny} looks up in a table, as a power of two. */
    private static final int TABLE_BITS = 14;

    /** Classes by the last byte of a rounded request, in quanta. */
    private static final byte[] TABLE = new byte[1 << TABLE_BITS - 3];

    static {
        for (int i = 0; i < TABLE.length; i++) {
            TABLE[i] = (byte) of((i + 1L) * QUANTUM_BYTES, 1);
        }
    }

    private SizeClasses() {}

    /**
     * Returns the class of a request; {@link #NONE} if there is none, or the arguments are invalid.
     *
     * @param bytes any value
     * @param alignment any value
     */
    static int ofAny(long bytes, long alignment) {
        long mask = alignment - 1;
        long last = bytes - 1 | mask; // of the bytes rounded up to a multiple of the alignment
        // Reached with 0 bytes, large requests and invalid arguments too:
        if ((alignment & mask | last >>> TABLE_BITS) != 0) {
            return ofUnusual(bytes, alignment);
        }
        return TABLE[(int) last >>> 3 & TABLE.length - 1];
    }

    private static int ofUnusual(long bytes, long alignment) {
        boolean sound = bytes >= 0 && Alignment.isPowerOfTwo(alignment);
        return sound ? of(bytes, alignment) : NONE;
    }

    /**
     * Returns the class of a request, or {@link #NONE}.
     *
     * @param bytes the size in bytes, not negative
     * @param alignment a power of two
     */
    static int of(long bytes, long alignment) {
        // 0 bytes get a block of their own too. Unsigned, for sums beyond Long.MAX_VALUE.
        long rounded = Math.max(bytes, 1) + alignment - 1 & -alignment;
        if (Long.compareUnsigned(rounded, MAX_BYTES) > 0 || alignment > MAX_ALIGNMENT_BYTES) {
            return NONE;
        }
        int last = (int) rounded - 1 >>> 3; // of its quanta
        int doubling = 28 - Integer.numberOfLeadingZeros(last | 8); // 0 for the first 16 quanta
        return doubling * 8 + (last >>> doubling);
    }

    /** Returns the size of the blocks of a class. */
    static int bytes(int sizeClass) {
        int doubling = Math.max(0, sizeClass / 8 - 1);
        return (sizeClass - doubling * 8 + 1) * QUANTUM_BYTES << doubling;
    }
}
