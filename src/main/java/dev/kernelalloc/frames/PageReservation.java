package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * Address space for pages: aligned, and with inaccessible pages around it if a request needs
 * guards. Those are reserved and never committed, so they cost no memory and no call.
 *
 * @param reservation the whole address space
 * @param address the address of the first page
 */
record PageReservation(Reservation reservation, long address) {

    /**
     * Reserves it.
     *
     * @param pieces that the pages will be mapped in, without guards
     */
    static PageReservation reserve(
            OperatingSystem os,
            Reservations reservations,
            PhysicalRequest request,
            long bytes,
            long pageAlignment,
            int pieces,
            MemorySegment callState)
            throws Refusal {
        long alignment = alignment(request, pageAlignment);
        long guard = guardBytes(request, alignment, bytes);
        long whole = bytes + 2 * guard;
        Reservation reservation =
                reservations.make(
                        whole,
                        mappings(request, pieces),
                        () -> os.reserve(whole, alignment, callState));
        return new PageReservation(reservation, reservation.address() + guard);
    }

    /** The same beside others, where pages and guards take less than a huge page. */
    static PageReservation reserveSmall(
            OperatingSystem os,
            SmallReservations small,
            PhysicalRequest request,
            long bytes,
            int pieces,
            MemorySegment callState)
            throws Refusal {
        long alignment = alignment(request, os.pageBytes());
        long guard = guardBytes(request, alignment, bytes);
        Reservation reservation =
                small.make(bytes + 2 * guard, alignment, mappings(request, pieces), callState);
        return new PageReservation(reservation, reservation.address() + guard);
    }

    /** The same with pages of the huge page pool in it. */
    static PageReservation reserveHuge(
            OperatingSystem os,
            Reservations reservations,
            PhysicalRequest request,
            long bytes,
            long hugePageBytes,
            MemorySegment callState)
            throws Refusal {
        long alignment = alignment(request, hugePageBytes);
        long guard = guardBytes(request, alignment, bytes);
        Reservation reservation =
                reservations.make(
                        bytes + 2 * guard,
                        mappings(request, 1),
                        () -> os.reserveHuge(bytes, guard, alignment, hugePageBytes, callState));
        return new PageReservation(reservation, reservation.address() + guard);
    }

    private static int mappings(PhysicalRequest request, int pieces) {
        return request.guarded() ? pieces + 2 : pieces;
    }

    static long alignment(PhysicalRequest request, long pageAlignment) {
        return Math.max(pageAlignment, request.alignment());
    }

    private static long guardBytes(PhysicalRequest request, long alignment, long bytes)
            throws Refusal {
        long guard = request.guarded() ? alignment : 0;
        if (bytes > Long.MAX_VALUE - 2 * guard || guard > Long.MAX_VALUE / 4) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "%d bytes aligned to %d with guards are more than can be addressed",
                            bytes,
                            alignment));
        }
        return guard;
    }
}
