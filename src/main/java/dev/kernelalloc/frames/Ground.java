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
        long alignment = Math.max(pageAlignment, request.contiguous() ? 1 : request.alignment());
        long guard = request.guarded() ? alignment : 0;
        if (bytes > Long.MAX_VALUE - 2 * guard || guard > Long.MAX_VALUE / 4) {
            throw new Refusal.OutOfMemory(
                    "%d bytes aligned to %d with guards are more than can be addressed"
                            .formatted(bytes, alignment));
        }
        long whole = bytes + 2 * guard;
        long start = os.reserve(whole, alignment, callState);
        return new Ground(new Reservation(start, whole, false), start + guard);
    }
}
