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
     * too. It is checked, as every access to a segment: pages that are unmapped meanwhile are an
     * exception.
     */
    static void populate(MemorySegment pages, long pageBytes) {
        for (long offset = 0; offset < pages.byteSize(); offset += pageBytes) {
            INT.getAndBitwiseOr(pages, offset, 0);
        }
    }
}
