package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/**
 * Large pages of a system that gives them in one call, which is Windows. They are never paged out,
 * without a lock.
 *
 * @param unitBytes the size of one
 */
record LargePages(OperatingSystem os, Reservations reservations, Pages pages, long unitBytes)
        implements PageSource {

    @Override
    public Backing backing() {
        return Backing.LARGE_PAGES;
    }

    @Override
    public Mapped map(PhysicalRequest request, long bytes, MemorySegment callState) throws Refusal {
        if (request.guarded()) {
            throw new Refusal.NotSupported("large pages are a reservation of their own: no guards");
        }
        long capacity = Alignment.up(bytes, unitBytes);
        long alignment = Math.max(unitBytes, request.contiguous() ? 1 : request.alignment());
        Reservation reservation =
                reservations.make(
                        capacity, 1, () -> os.reserveLarge(capacity, alignment, callState));
        long address = reservation.address();
        try {
            pages.advise(address, capacity, request, null, callState);
            return new Mapped(reservation, address, capacity, backing(), true);
        } catch (Refusal | RuntimeException | Error e) {
            reservations.release(reservation, callState);
            throw e;
        }
    }
}
