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
    private final MemorySegment block;

    KernelAllocationManager(
            BufferAllocator accountingAllocator, KernelAllocator memory, MemorySegment block) {
        super(accountingAllocator);
        this.memory = memory;
        this.block = block;
    }

    /** What was asked for, not what may be used: Arrow takes it off what it has counted. */
    @Override
    public long getSize() {
        return block.byteSize();
    }

    @Override
    protected long memoryAddress() {
        return block.address();
    }

    /** Called once, by the thread that released the last reference. */
    @Override
    protected void release0() {
        memory.free(block);
    }
}
