package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.HugeAllowance;
import dev.kernelalloc.os.OperatingSystem.HugePool;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * Pages of the huge page pool, which the machine's owner has set aside. They are never swapped, and
 * taken only if they are there: the kernel ends a process that touches one that was merely
 * promised.
 *
 * @param way which pool
 * @param unitBytes the size of its pages
 */
record PoolPages(
        OperatingSystem os, Reservations reservations, Pages pages, Backing backing, long unitBytes)
        implements PageSource {

    @Override
    public Mapped map(PhysicalRequest request, long bytes, MemorySegment callState) throws Refusal {
        long capacity = mappedBytes(request, bytes);
        awaitFree(request, capacity / unitBytes);
        PageReservation space =
                PageReservation.reserveHuge(
                        os, reservations, request, capacity, unitBytes, callState);
        try {
            pages.advise(space.address(), capacity, request, null, callState);
            os.populate(space.address(), capacity, callState); // set aside: nothing to look at
            return new Mapped(space.reservation(), space.address(), capacity, backing, true);
        } catch (Refusal | RuntimeException | Error e) {
            reservations.release(space.reservation(), callState);
            throw e;
        }
    }

    /** Returns the number of available pages: of the pool, and by the control groups. */
    long available() throws Refusal {
        long inPool = os.hugePool(unitBytes).map(HugePool::availablePages).orElse(0L);
        return Math.min(inPool, os.hugeAllowance(unitBytes).leftBytes() / unitBytes);
    }

    private void awaitFree(PhysicalRequest request, long count) throws Refusal {
        long begun = System.nanoTime();
        while (true) {
            try {
                requireFree(request, count);
                return;
            } catch (Refusal.OutOfMemory e) {
                if (!pages.awaitReturn(begun)) {
                    throw e;
                }
            }
        }
    }

    private void requireFree(PhysicalRequest request, long count) throws Refusal {
        HugeAllowance allowance = os.hugeAllowance(unitBytes);
        if (count > allowance.leftBytes() / unitBytes) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "requested %d pages of %d KiB, and a control group leaves this process"
                                    + " %d bytes of the pool: raise %s",
                            count,
                            unitBytes >> 10,
                            allowance.leftBytes(),
                            allowance.file()));
        }
        HugePool pool = os.hugePool(unitBytes).orElseThrow(this::missing);
        long free =
                request.nodeRequired()
                        ? pool.freeOfNode().getOrDefault(request.node().orElse(0), 0L)
                        : pool.availablePages();
        if (count > free) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "requested %d pages of %d KiB, and %d are free (%s): raise"
                                    + " /sys/kernel/mm/hugepages/hugepages-%dkB/nr_hugepages, or"
                                    + " reserve them at boot",
                            count,
                            unitBytes >> 10,
                            free,
                            pool,
                            unitBytes >> 10));
        }
    }

    private Refusal missing() {
        return new Refusal.NotSupported(
                String.format(
                        Locale.ROOT,
                        "this system has no pool of pages of %d KiB",
                        unitBytes >> 10));
    }
}
