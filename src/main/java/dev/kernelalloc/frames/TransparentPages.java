package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * Transparent huge pages: the kernel gives one at the first touch where it has one, and collapses
 * base pages into one when asked.
 */
record TransparentPages(OperatingSystem os, Reservations reservations, Pages pages)
        implements PageSource {

    @Override
    public Backing backing() {
        return Backing.TRANSPARENT_HUGE;
    }

    @Override
    public long unitBytes() {
        return Pages.HUGE_BYTES;
    }

    /** Whole huge pages, unless any pages will do. */
    @Override
    public long mappedBytes(PhysicalRequest request, long bytes) {
        boolean whole = request.contiguous() || request.pages() != PagePolicy.AUTO;
        return whole || Backings.mustBeHuge(request) ? Alignment.up(bytes, unitBytes()) : bytes;
    }

    @Override
    public Mapped map(PhysicalRequest request, long bytes, MemorySegment callState) throws Refusal {
        long capacity = mappedBytes(request, bytes);
        PageReservation space =
                PageReservation.reserve(
                        os, reservations, request, capacity, unitBytes(), 1, callState);
        try {
            os.commit(space.address(), capacity, callState);
            pages.name(space.address(), capacity);
            pages.advise(space.address(), capacity, request, Advice.HUGE_PAGES, callState);
            pages.populate(space.address(), capacity, request, callState);
            if (capacity % unitBytes() == 0) {
                Refusal refusal = pages.collapse(space.address(), capacity, callState);
                if (refusal != null && Backings.mustBeHuge(request)) {
                    throw new Refusal.Fragmented(
                            String.format(
                                    Locale.ROOT,
                                    "not all of %d bytes are in huge pages: %s",
                                    capacity,
                                    refusal.getMessage()));
                }
            }
            boolean huge = pages.isHuge(space.address(), capacity, callState);
            boolean none = !huge && pages.hasNoneHuge(space.address(), capacity, callState);
            Backing reached = none ? Backing.BASE_PAGES : backing();
            return new Mapped(space.reservation(), space.address(), capacity, reached, huge);
        } catch (Refusal | RuntimeException | Error e) {
            reservations.release(space.reservation(), callState);
            throw e;
        }
    }
}
