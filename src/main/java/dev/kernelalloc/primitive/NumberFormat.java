package dev.kernelalloc.primitive;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * The bits of a number in memory, and their order.
 *
 * <p>A key is a {@code long} in the order of the elements: that of {@link Long#compare(long, long)}
 * for integers, and of {@link Double#compare(double, double)} for floating-point numbers, where
 * -0.0 comes before 0.0 and every NaN is equal and comes last.
 *
 * @param shift the binary logarithm of the size in bytes
 * @param floating whether it is a floating-point number of IEEE 754
 */
record NumberFormat(int shift, boolean floating) {

    int byteSize() {
        return 1 << shift;
    }

    /** Returns the bits of an element, sign-extended to 64. */
    long bits(MemorySegment memory, long index) {
        return switch (shift) {
            case 0 -> memory.get(JAVA_BYTE, index);
            case 1 -> memory.get(JAVA_SHORT_UNALIGNED, index << 1);
            case 2 -> memory.get(JAVA_INT_UNALIGNED, index << 2);
            default -> memory.get(JAVA_LONG_UNALIGNED, index << 3);
        };
    }

    /** Writes the bits of an element. */
    void bits(MemorySegment memory, long index, long bits) {
        switch (shift) {
            case 0 -> memory.set(JAVA_BYTE, index, (byte) bits);
            case 1 -> memory.set(JAVA_SHORT_UNALIGNED, index << 1, (short) bits);
            case 2 -> memory.set(JAVA_INT_UNALIGNED, index << 2, (int) bits);
            default -> memory.set(JAVA_LONG_UNALIGNED, index << 3, bits);
        }
    }

    /** Returns a word of memory that holds an element again and again. */
    long repeated(long bits) {
        long word = shift == 3 ? bits : bits & (1L << (Byte.SIZE << shift)) - 1;
        for (int size = Byte.SIZE << shift; size < Long.SIZE; size *= 2) {
            word |= word << size;
        }
        return word;
    }

    /** Returns the key of an element that is no NaN; of a key, the bits of the element. */
    long key(long bits) {
        return floating && bits < 0 ? bits ^ Long.MAX_VALUE : bits;
    }

    /** Returns whether the bits are those of a NaN. */
    boolean isNaN(long bits) {
        if (!floating) {
            return false;
        }
        return shift == 2
                ? Float.isNaN(Float.intBitsToFloat((int) bits))
                : Double.isNaN(Double.longBitsToDouble(bits));
    }

    /** Returns the key of any element. */
    long keyOrLast(long bits) {
        return isNaN(bits) ? Long.MAX_VALUE : key(bits);
    }

    /** Shows an element. */
    String text(long bits) {
        if (!floating) {
            return Long.toString(bits);
        }
        return shift == 2
                ? Float.toString(Float.intBitsToFloat((int) bits))
                : Double.toString(Double.longBitsToDouble(bits));
    }
}
