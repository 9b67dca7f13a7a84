package dev.kernelalloc.nvme;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/** Memory for a device without an IOMMU: the device uses the addresses of page frames. */
public final class PhysicalDma implements DmaAllocator, AutoCloseable {

    /** The page size of the device, and of this processor. */
    private static final int PAGE_BYTES = 4096;

    private final PhysicalAllocator memory;

    private PhysicalDma(PhysicalAllocator memory) {
        this.memory = memory;
    }

    /**
     * Creates memory for structures that a device locates by one address: each block is contiguous,
     * begins at a page, and is within the device's reach.
     *
     * @param highest the highest address that the device can drive
     * @return memory that the caller closes
     */
    public static PhysicalDma contiguous(long highest) {
        return of(
                "dma contiguous",
                PhysicalRequest.builder()
                        .contiguous()
                        .aligned(PAGE_BYTES)
                        .within(0, highest)
                        .atLeast(Guarantee.NEVER_MOVED)
                        .build());
    }

    /**
     * Creates memory for data that a device locates by a list of pages.
     *
     * @return memory that the caller closes
     */
    public static PhysicalDma scattered() {
        return of(
                "dma scattered", PhysicalRequest.builder().atLeast(Guarantee.NEVER_MOVED).build());
    }

    /**
     * Creates memory with other guarantees. If a page moves, a device that has its address writes
     * into a frame that belongs to another owner.
     *
     * @param tag a name for statistics and leak reports
     * @param request the guarantees for each block
     * @return memory that the caller closes
     */
    public static PhysicalDma of(String tag, PhysicalRequest request) {
        return new PhysicalDma(PhysicalAllocator.builder().tag(tag).request(request).build());
    }

    @Override
    public PhysicalAllocator memory() {
        return memory;
    }

    /**
     * {@inheritDoc}
     *
     * @throws dev.kernelalloc.physical.PhysicalAddressException when this process must not see page
     *     frames
     */
    @Override
    public long addressOf(MemorySegment segment, long offset) {
        return memory.addressOf(segment, offset).value();
    }

    @Override
    public void close() {
        memory.close();
    }
}
