package dev.kernelalloc.bulk;

/** The arithmetic of alignments, which are powers of two. */
public final class Alignment {

    private Alignment() {}

    /** Returns whether a number may be an alignment. */
    public static boolean isPowerOfTwo(long number) {
        return number > 0 && (number & number - 1) == 0;
    }

    /** Returns whether an address, or a number of bytes, is a multiple of an alignment. */
    public static boolean isAligned(long address, long alignment) {
        return (address & alignment - 1) == 0;
    }

    /** Returns the smallest multiple of an alignment that is not below a number of bytes. */
    public static long up(long bytes, long alignment) {
        return bytes + alignment - 1 & -alignment;
    }

    /** Returns the largest multiple of an alignment that is not above a number of bytes. */
    public static long down(long bytes, long alignment) {
        return bytes & -alignment;
    }
}
