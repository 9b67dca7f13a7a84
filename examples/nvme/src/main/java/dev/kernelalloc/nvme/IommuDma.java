package dev.kernelalloc.nvme;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.PhysicalSlab;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Memory for a device behind an IOMMU. Each slab is mapped for the device as a whole, before a
 * block is cut from it, and is contiguous for the device regardless of its frames. Neither a pin by
 * the library nor the right to see frames is needed: VFIO pins what it maps.
 */
public final class IommuDma implements DmaAllocator, AutoCloseable {

    private final VfioDevice device;
    private final PhysicalAllocator memory;

    /** Keyed by the address of the first byte in this process. */
    private final ConcurrentSkipListMap<Long, Mapping> mappings = new ConcurrentSkipListMap<>();

    /**
     * A slab mapped for the device.
     *
     * @param deviceAddress the device address of its first byte
     * @param bytes the size in bytes
     */
    private record Mapping(long deviceAddress, long bytes) {}

    /**
     * Creates memory for a device.
     *
     * @param device a device that outlives this object
     * @param request the guarantees for each block
     */
    public IommuDma(VfioDevice device, PhysicalRequest request) {
        this.device = device;
        this.memory =
                PhysicalAllocator.builder()
                        .tag("dma iommu")
                        .request(request)
                        .onSlabMapped(this::map)
                        .onSlabUnmapped(this::unmap)
                        .build();
    }

    private void map(PhysicalSlab slab) {
        MemorySegment slabMemory = slab.memory();
        mappings.put(
                slabMemory.address(), new Mapping(device.map(slabMemory), slabMemory.byteSize()));
    }

    private void unmap(PhysicalSlab slab) {
        Mapping mapping = mappings.remove(slab.memory().address());
        if (mapping != null) { // null when the device refused it
            device.unmap(mapping.deviceAddress, mapping.bytes);
        }
    }

    @Override
    public PhysicalAllocator memory() {
        return memory;
    }

    @Override
    public long addressOf(MemorySegment segment, long offset) {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException(segment + " is closed");
        }
        long address = segment.address() + Objects.checkIndex(offset, segment.byteSize());
        Map.Entry<Long, Mapping> found = mappings.floorEntry(address);
        if (found == null || address - found.getKey() >= found.getValue().bytes) {
            throw new IllegalArgumentException(segment + " is not memory of " + memory);
        }
        return found.getValue().deviceAddress + (address - found.getKey());
    }

    @Override
    public void close() {
        memory.close();
    }
}
