package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.nio.ByteOrder;
import java.util.List;

/**
 * The description of a member, before it has a place.
 *
 * @param lengths of an array, outermost dimension first; of a flexible array the first is 0
 * @param flexible whether the outermost dimension extends to the end of the memory
 * @param bits the width of a bit-field, 0 for any other member
 * @param alignment the explicit alignment in bytes, 0 for none
 * @param offset the explicit offset in bytes, {@link #NO_OFFSET} for none
 * @param before the unnamed bit-field in front of the member
 * @param accessors the methods of an interface that reach it; empty for a record
 */
record MemberDescription(
        String name,
        Element element,
        long[] lengths,
        boolean flexible,
        MemoryOrder mode,
        ByteOrder order,
        int bits,
        long alignment,
        long offset,
        @Nullable UnnamedBits before,
        List<Accessor> accessors) {

    static final long NO_OFFSET = -1;

    /** A mistake for a copy that Java could not hold. */
    static final String TOO_LONG_TO_COPY =
            "is longer than a Java array can be; an interface reaches it by index or as a"
                    + " MemorySegment";

    private static final long MAX_ARRAY_LENGTH = Integer.MAX_VALUE - 8;

    /** The same member, reached by methods. */
    MemberDescription with(List<Accessor> methods) {
        return new MemberDescription(
                name, element, lengths, flexible, mode, order, bits, alignment, offset, before,
                methods);
    }

    /** Whether Java has arrays that long, so that a copy is possible. */
    boolean fitsInJavaArrays() {
        long longest = element instanceof Element.Bytes bytes ? bytes.layout().byteSize() : 0;
        for (long length : lengths) {
            longest = Math.max(longest, length);
        }
        return longest <= MAX_ARRAY_LENGTH;
    }

    /** How many elements the member has, all dimensions multiplied. */
    long elements() {
        long product = 1;
        for (long length : lengths) {
            product = Math.multiplyExact(product, length);
        }
        return product;
    }
}
