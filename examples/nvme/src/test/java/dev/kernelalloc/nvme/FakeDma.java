package dev.kernelalloc.nvme;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Memory of a pool with invented addresses: pages that are adjacent in this process are not
 * adjacent for the device.
 */
final class FakeDma implements DmaAllocator, AutoCloseable {

    private static final long PAGE_MASK = 4095;

    private final PoolAllocator memory = PoolAllocator.create();

    @Override
    public KernelAllocator memory() {
        return memory;
    }

    @Override
    public long addressOf(MemorySegment segment, long offset) {
        return device(segment.address() + Objects.checkIndex(offset, segment.byteSize()));
    }

    /** Returns the device address: inverts the lowest bit of the page number. */
    static long device(long address) {
        return address ^ PAGE_MASK + 1;
    }

    /** Returns memory as the device sees it: up to the end of its page. */
    @SuppressWarnings("restricted")
    static MemorySegment memory(long deviceAddress) {
        long address = device(deviceAddress);
        return MemorySegment.ofAddress(address).reinterpret(4096 - (address & PAGE_MASK));
    }

    @Override
    public void close() {
        memory.close();
    }
}
