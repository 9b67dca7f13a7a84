package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** All memory as one segment, for blocks that are known by address. */
final class Anywhere {

    @SuppressWarnings("restricted")
    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private Anywhere() {}

    static long read(long address) {
        return MEMORY.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
    }

    static void write(long address, long value) {
        MEMORY.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    /** Returns the first eight bytes of a block. */
    static MemorySegment at(long address) {
        return MEMORY.asSlice(address, Long.BYTES);
    }

    static void clear(long address, long size) {
        MEMORY.asSlice(address, size).fill((byte) 0);
    }
}
