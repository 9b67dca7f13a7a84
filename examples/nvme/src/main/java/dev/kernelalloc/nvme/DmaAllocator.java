package dev.kernelalloc.nvme;

import dev.kernelalloc.KernelAllocator;

import java.lang.foreign.MemorySegment;

/**
 * An allocator of memory that a device accesses by itself; provides the device address of each
 * byte.
 *
 * <p>The driver depends on nothing else: {@link PhysicalDma} provides the addresses of page frames,
 * {@link IommuDma} those that an IOMMU translates.
 */
public interface DmaAllocator {

    /**
     * Returns the allocator of the memory. Its blocks keep their device addresses from their
     * allocation until they are freed.
     *
     * @return an allocator that this object closes
     */
    KernelAllocator memory();

    /**
     * Returns the address by which the device finds a byte.
     *
     * @param segment memory of a live block of {@link #memory()}, or a slice of it
     * @param offset of the byte
     * @return the address
     * @throws IllegalArgumentException when the segment is not memory of the allocator
     * @throws IllegalStateException when the segment is closed
     * @throws IndexOutOfBoundsException when the byte does not lie in the segment
     */
    long addressOf(MemorySegment segment, long offset);
}
