package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/** Pages of the base size, which every system has. */
record BasePages(
        OperatingSystem os, Reservations reservations, SmallReservations small, Pages pages)
        implements PageSource {

    @Override
    public Backing backing() {
        return Backing.BASE_PAGES;
    }

    @Override
    public long unitBytes() {
        return os.pageBytes();
    }

    @Override
    public Mapped map(PhysicalRequest request, long bytes, MemorySegment callState) throws Refusal {
        boolean shared = small.serve(request, bytes);
        PageReservation space =
                shared
                        ? PageReservation.reserveSmall(os, small, request, bytes, 1, callState)
                        : PageReservation.reserve(
                                os, reservations, request, bytes, Pages.HUGE_BYTES, 1, callState);
        try {
            os.commit(space.address(), bytes, callState);
            pages.name(space.address(), bytes);
            // Nor may the kernel make a huge page of neighbours, which moves those not pinned.
            boolean baseAlone =
                    request.pages() == PagePolicy.BASE || request.contiguous() || shared;
            pages.advise(
                    space.address(),
                    bytes,
                    request,
                    baseAlone ? Advice.BASE_PAGES : null,
                    callState);
            pages.populate(space.address(), bytes, request, callState);
            return new Mapped(space.reservation(), space.address(), bytes, backing(), false);
        } catch (Refusal | RuntimeException | Error e) {
            reservations.release(space.reservation(), callState);
            throw e;
        }
    }
}
