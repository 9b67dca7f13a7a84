package dev.kernelalloc.arrow;

import dev.kernelalloc.KernelAllocator;

import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.BufferAllocator;

import java.lang.foreign.MemorySegment;

/**
 * Owns the block of one allocation of Arrow, which decides by its reference counts when it ends.
 */
final class KernelAllocationManager extends AllocationManager {

    private final KernelAllocator memory;

    /** The start of the block, whose segment would be one more object for each allocation. */
    private final long address;

    private final long bytes;

    KernelAllocationManager(
            BufferAllocator accountingAllocator, KernelAllocator memory, MemorySegment block) {
        super(accountingAllocator);
        this.memory = memory;
        this.address = block.address();
        this.bytes = block.byteSize();
    }

    /** What was asked for, not what may be used: Arrow takes it off what it has counted. */
    @Override
    public long getSize() {
        return bytes;
    }

    @Override
    protected long memoryAddress() {
        return address;
    }

    /** Called once, by the thread that released the last reference. */
    @Override
    protected void release0() {
        memory.free(MemorySegment.ofAddress(address));
    }
}
