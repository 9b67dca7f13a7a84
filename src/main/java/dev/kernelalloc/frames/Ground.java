package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/**
 * Address space for pages: aligned, and with inaccessible pages around it where a request wants
 * guards. Those are reserved and never committed, so they cost no memory and no call.
 *
 * @param reservation the whole
 * @param address where the pages go
 */
record Ground(Reservation reservation, long address) {

    static Ground reserve(
            OperatingSystem os,
            PhysicalRequest request,
            long bytes,
            long pageAlignment,
            MemorySegment callState)
            throws Refusal {
        long alignment = alignment(request, pageAlignment);
        long guard = guardBytes(request, alignment, bytes);
        long whole = bytes + 2 * guard;
        long start = os.reserve(whole, alignment, callState);
        return new Ground(new Reservation(start, whole, false), start + guard);
    }

    /** The same with pages of the huge page pool in it. */
    static Ground reserveHuge(
            OperatingSystem os,
            PhysicalRequest request,
            long bytes,
            long hugePageBytes,
            MemorySegment callState)
            throws Refusal {
        long alignment = alignment(request, hugePageBytes);
        long guard = guardBytes(request, alignment, bytes);
        long start = os.reserveHuge(bytes, guard, alignment, hugePageBytes, callState);
        return new Ground(new Reservation(start, bytes + 2 * guard, false), start + guard);
    }

    private static long alignment(PhysicalRequest request, long pageAlignment) {
        return Math.max(pageAlignment, request.contiguous() ? 1 : request.alignment());
    }

    private static long guardBytes(PhysicalRequest request, long alignment, long bytes)
            throws Refusal {
        long guard = request.guarded() ? alignment : 0;
        if (bytes > Long.MAX_VALUE - 2 * guard || guard > Long.MAX_VALUE / 4) {
            throw new Refusal.OutOfMemory(
                    "%d bytes aligned to %d with guards are more than can be addressed"
                            .formatted(bytes, alignment));
        }
        return guard;
    }
}
