package dev.kernelalloc.os;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** Populates pages the way every system understands: by writing to each. */
final class FirstTouch {

    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

    private FirstTouch() {}

    /**
     * An atomic {@code or} with 0 is a write that changes nothing, even while other threads write
     * too.
     */
    static void populate(long address, long bytes, long pageBytes) {
        MemorySegment pages = NativeMemory.segment(address, bytes);
        for (long offset = 0; offset < bytes; offset += pageBytes) {
            INT.getAndBitwiseOr(pages, offset, 0);
        }
    }
}
