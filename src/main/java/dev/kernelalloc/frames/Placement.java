package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.physical.PhysicalRequest;

/**
 * The allowed places of a contiguous block in physical memory. Arithmetic only: addresses are those
 * of bytes, not negative.
 *
 * @param bytes the size of the block, at least 1
 * @param alignment the alignment of its address, a power of two
 * @param lowest the lowest address of any byte
 * @param highest the highest address of any byte
 * @param boundary a power of two not below {@code bytes}, of which no multiple is between two
 *     bytes; or 0
 */
record Placement(long bytes, long alignment, long lowest, long highest, long boundary) {

    /** Instead of an address: there is no place. */
    static final long NONE = -1;

    /** Returns the placement of a request for a block that starts with a page. */
    static Placement of(PhysicalRequest request, long pageBytes) {
        return new Placement(
                Math.max(1, request.size()),
                Math.max(pageBytes, request.alignment()),
                request.lowest(),
                request.highest(),
                request.boundary());
    }

    /**
     * The lowest address of a block inside a run of memory, or {@link #NONE}.
     *
     * @param start of the run
     * @param length of the run in bytes; the last byte is not beyond {@code Long.MAX_VALUE}
     */
    long firstFit(long start, long length) {
        if (length < bytes) {
            return NONE;
        }
        long last = Math.min(start + (length - 1), highest);
        long place = alignedUp(Math.max(start, lowest), alignment);
        if (place >= 0 && crosses(place)) {
            // A multiple of the boundary is one of the alignment too, or nothing would cross.
            place = alignedUp(place, boundary);
        }
        return place >= 0 && place <= last && last - place >= bytes - 1 ? place : NONE;
    }

    private boolean crosses(long place) {
        return boundary != 0
                && place <= Long.MAX_VALUE - bytes
                && ((place ^ (place + (bytes - 1))) & -boundary) != 0;
    }

    /** Negative where there is none. */
    private static long alignedUp(long address, long alignment) {
        return address > Long.MAX_VALUE - (alignment - 1) ? NONE : Alignment.up(address, alignment);
    }
}
