package dev.kernelalloc.struct;

import java.util.Locale;

/**
 * The values that an integer of memory can have, on the way to and from a Java {@code long}.
 *
 * @param member the name of the member, for messages
 * @param bits the width in memory, 1 to 64
 */
record IntegerRange(String member, int bits, boolean signed) {

    /** The value of an integer whose upper bits are copies of its topmost bit. */
    long widen(long signExtended) {
        return signed ? signExtended : signExtended & -1L >>> 64 - bits;
    }

    /** The value itself, if memory can hold it. */
    long check(long value) {
        if (!contains(value)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s: value=%d does not fit in %d %s bits",
                            member,
                            value,
                            bits,
                            signed ? "signed" : "unsigned"));
        }
        return value;
    }

    boolean contains(long value) {
        int unused = 64 - bits;
        return value == (signed ? value << unused >> unused : value << unused >>> unused);
    }
}
