package dev.kernelalloc.core;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;

/** Elements as bytes, for code that does not need their type. */
public final class ElementBytes {

    private ElementBytes() {}

    /** Exchanges two pieces of memory of the same size, equal or apart, without a third one. */
    public static void swap(MemorySegment one, MemorySegment other) {
        long bytes = one.byteSize();
        long offset = 0;
        for (; offset <= bytes - Long.BYTES; offset += Long.BYTES) {
            long kept = one.get(JAVA_LONG_UNALIGNED, offset);
            one.set(JAVA_LONG_UNALIGNED, offset, other.get(JAVA_LONG_UNALIGNED, offset));
            other.set(JAVA_LONG_UNALIGNED, offset, kept);
        }
        for (; offset < bytes; offset++) {
            byte kept = one.get(JAVA_BYTE, offset);
            one.set(JAVA_BYTE, offset, other.get(JAVA_BYTE, offset));
            other.set(JAVA_BYTE, offset, kept);
        }
    }
}
