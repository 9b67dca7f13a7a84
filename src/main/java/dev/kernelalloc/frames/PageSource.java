package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/** A way of obtaining pages from the system. Safe to use from any thread. */
sealed interface PageSource
        permits PoolPages, LargePages, TransparentPages, KernelRegions, BasePages {

    /** Its name. */
    Backing backing();

    /** The size of its pages in bytes; contents of one lie side by side in physical memory. */
    long unitBytes();

    /** How many bytes {@link #map} maps. */
    default long mappedBytes(PhysicalRequest request, long bytes) {
        return Alignment.up(bytes, unitBytes());
    }

    /**
     * Maps and populates pages.
     *
     * @param request of which the size, and everything that is said of physical addresses, is not
     *     looked at
     * @param bytes a multiple of the base page size; more is mapped where pages are larger
     * @throws Refusal when there are none; nothing has changed then
     */
    Mapped map(PhysicalRequest request, long bytes, MemorySegment callState) throws Refusal;
}
