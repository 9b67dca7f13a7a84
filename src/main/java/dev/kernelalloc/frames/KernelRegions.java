package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * Regions that the kernel has allocated for io_uring in one piece, if it could. Their pages are the
 * kernel's own: never swapped, moved or merged, without a lock or a pin.
 */
record KernelRegions(OperatingSystem os, Reservations reservations, Pages pages)
        implements PageSource {

    /** The largest piece that the kernel's page allocator has. */
    static final long MAX_BYTES = 4L << 20;

    @Override
    public Backing backing() {
        return Backing.KERNEL_REGION;
    }

    @Override
    public long unitBytes() {
        return os.pageBytes();
    }

    @Override
    public Mapped map(PhysicalRequest request, long bytes, MemorySegment callState) throws Refusal {
        if (bytes > MAX_BYTES) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "requested %d bytes, and a region has at most %d",
                            bytes,
                            MAX_BYTES));
        }
        if (request.guarded()) {
            throw new Refusal.NotSupported("the kernel chooses the place of a region: no guards");
        }
        Reservation reservation =
                reservations.make(bytes, 1, () -> os.kernelRegion(bytes, callState));
        long address = reservation.address();
        try {
            pages.advise(address, bytes, request, null, callState);
            return new Mapped(reservation, address, bytes, backing(), false);
        } catch (Refusal | RuntimeException | Error e) {
            reservations.release(reservation, callState);
            throw e;
        }
    }
}
