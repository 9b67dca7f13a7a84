package dev.kernelalloc.soak;

import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;

/**
 * A block, what it was filled with, and what was promised of it.
 *
 * @param request that it was allocated by; null for a block of the engine
 * @param promised when it was allocated
 * @param places of its pages at that time; negative where they are not shown
 * @param byPage whether all its pages have the same contents, so that they can be merged
 * @param broken what was seen not to hold any more; grows
 */
record Held(
        MemorySegment block,
        long stamp,
        PhysicalRequest request,
        Set<Guarantee> promised,
        long[] places,
        boolean byPage,
        Set<Guarantee> broken) {

    private static final int STRIDE_BYTES = 128;

    long firstPage() {
        return block.address() & -Kernel.PAGE_BYTES;
    }

    int pages() {
        long end = block.address() + Math.max(1, block.byteSize());
        return (int) Math.ceilDiv(end - firstPage(), (long) Kernel.PAGE_BYTES);
    }

    /** Returns whether a page is one of the block's. */
    boolean covers(long page) {
        return page >= firstPage() && page < firstPage() + (long) pages() * Kernel.PAGE_BYTES;
    }

    void write() {
        for (long at = 0; at < block.byteSize(); at = next(at, block.byteSize())) {
            block.set(ValueLayout.JAVA_BYTE, at, value(at));
        }
    }

    /** Compares a block that this one was moved to, or its own. */
    void check(MemorySegment found) {
        long bytes = Math.min(found.byteSize(), block.byteSize());
        for (long at = 0; at < bytes; at = next(at, block.byteSize())) {
            byte expected = value(at);
            if (found.get(ValueLayout.JAVA_BYTE, at) != expected) {
                throw new Mismatch(
                        "byte %d of %s: expected=%d found=%d"
                                .formatted(
                                        at, this, expected, found.get(ValueLayout.JAVA_BYTE, at)));
            }
        }
    }

    /** All bytes of a small block; of a large one both ends and some of each page. */
    private static long next(long at, long bytes) {
        boolean every = bytes <= Kernel.PAGE_BYTES || at < 64 || at >= bytes - 64;
        return every ? at + 1 : Math.min(at + STRIDE_BYTES, bytes - 64);
    }

    private byte value(long at) {
        long place = byPage ? at % Kernel.PAGE_BYTES : at;
        return (byte) ((stamp + place) * 0x9E3779B97F4A7C15L >>> 56);
    }

    @Override
    public String toString() {
        return "%s of %s, promised %s".formatted(block, request, promised);
    }
}
