package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** The accesses of a program to a block that is a segment; see {@link Memory}. */
final class Touch {

    /**
     * Operations per invocation of JMH, so that its own loop counts for little: as many as the C
     * program does before it reads the clock.
     */
    static final int OPERATIONS = 1000;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private Touch() {}

    static void write(MemorySegment segment, long value) {
        segment.set(LONG, 0, value);
        segment.set(LONG, segment.byteSize() - Long.BYTES, value);
    }

    static long of(MemorySegment segment, long value) {
        write(segment, value);
        return segment.get(LONG, 0) + segment.get(LONG, segment.byteSize() - Long.BYTES);
    }

    /** Reads a zeroed block before it is written. */
    static long zeros(MemorySegment segment) {
        return segment.get(LONG, 0) + segment.get(LONG, segment.byteSize() - Long.BYTES);
    }

    /** Writes repeatedly, as {@link Blocks#write}. */
    static void repeatedly(MemorySegment segment, int times) {
        for (int i = 0; i < times; i++) {
            segment.set(LONG, 0, i);
            VarHandle.releaseFence(); // no instruction on x86; but every write is one
        }
    }

    static long first(MemorySegment segment) {
        return segment.get(LONG, 0);
    }
}
