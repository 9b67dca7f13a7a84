package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/**
 * Address space for slabs of less than 2 MiB. They lie side by side in ranges of 2 MiB, so that
 * they share page tables: the processor's table of 2 MiB takes a page, as much as the smallest slab
 * itself.
 *
 * <p>A part is unmapped with its slab, and its place is not used again. So nothing of a range
 * outlives its slabs but the unused rest of the last one, until {@link #close}. Safe to use from
 * any thread.
 */
final class SmallReservations {

    private final OperatingSystem os;
    private final Reservations reservations;

    // Guarded by this: the unused rest of the range that is cut up
    private long next;
    private long end;
    private boolean closed;

    SmallReservations(OperatingSystem os, Reservations reservations) {
        this.os = os;
        this.reservations = reservations;
    }

    /** Whether pages and their guards are small, and the system releases parts of reservations. */
    boolean serve(PhysicalRequest request, long bytes) {
        long alignment = PageReservation.alignment(request, os.pageBytes());
        long guards = request.guarded() ? 2 * alignment : 0;
        return os.releasesParts()
                && alignment < Pages.HUGE_BYTES
                && bytes < Pages.HUGE_BYTES - guards;
    }

    /**
     * Reserves a part of a range.
     *
     * @param bytes with guards, a multiple of the page size, at most 2 MiB
     * @param mappings that will be made of it
     */
    synchronized Reservation make(long bytes, long alignment, int mappings, MemorySegment callState)
            throws Refusal {
        if (end - Alignment.up(next, alignment) < bytes) {
            Reservation range =
                    reservations.make(
                            Pages.HUGE_BYTES,
                            1,
                            () -> os.reserve(Pages.HUGE_BYTES, Pages.HUGE_BYTES, callState));
            releaseRest(callState);
            next = range.address();
            end = next + range.bytes();
        }
        long start = Alignment.up(next, alignment);
        Reservation part = reservations.make(bytes, mappings, start);
        if (next < start) {
            reservations.release(new Reservation(next, start - next, true, 0), callState);
        }
        next = start + bytes;
        if (closed) {
            releaseRest(callState);
        }
        return part;
    }

    /** Releases the unused rest. Parts in use are released with their slabs. */
    synchronized void close(MemorySegment callState) {
        closed = true;
        releaseRest(callState);
    }

    private void releaseRest(MemorySegment callState) {
        if (end == 0) {
            return; // no range was made yet
        }
        if (next < end) {
            reservations.release(new Reservation(next, end - next, true, 1), callState);
        } else {
            reservations.uncount(1);
        }
        next = 0;
        end = 0;
    }
}
