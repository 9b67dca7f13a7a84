package dev.kernelalloc.arrow;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;

import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.ReferenceManager;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Allocates Arrow's buffers as raw blocks of a {@link KernelAllocator}, aligned to 64 bytes. Safe
 * for use by any thread; a buffer may be released on another thread than it was allocated on.
 *
 * <p>Give it to a {@code RootAllocator} by {@code
 * RootAllocator.configBuilder().allocationManagerFactory(factory)}, whose children use it too. With
 * this module on the class path Arrow finds one over {@link KernelAllocator#global} where it is
 * given none.
 *
 * <p>Arrow's allocators count and limit what they hand out; the limit of the {@link
 * KernelAllocator} counts what all of them take. Where it refuses a block, the exception is Arrow's
 * {@link OutOfMemoryException}, with the {@link AllocationException} as its cause.
 *
 * <p>The caller closes the {@link KernelAllocator} after the {@code RootAllocator}.
 */
public final class KernelAllocationManagerFactory implements AllocationManager.Factory {

    /** What Arrow recommends: a cache line, and a vector register. */
    private static final long ALIGNMENT_BYTES = 64;

    private final Supplier<KernelAllocator> memory;
    private final ArrowBuf empty = new ArrowBuf(ReferenceManager.NO_OP, null, 0, 0);

    /**
     * Creates a factory.
     *
     * @param memory where buffers come from; it stays the caller's to close
     */
    public KernelAllocationManagerFactory(KernelAllocator memory) {
        Objects.requireNonNull(memory, "memory");
        this.memory = () -> memory;
    }

    private KernelAllocationManagerFactory(Supplier<KernelAllocator> memory) {
        this.memory = memory;
    }

    /**
     * Returns a factory over {@link KernelAllocator#global}, which is asked for when the first
     * buffer is allocated.
     *
     * @return a new factory
     */
    public static KernelAllocationManagerFactory global() {
        return new KernelAllocationManagerFactory(KernelAllocator::global);
    }

    /**
     * Returns the allocator that buffers come from, for its statistics and limits.
     *
     * @return the one given to the constructor, or the global one
     */
    public KernelAllocator memory() {
        return memory.get();
    }

    /**
     * Allocates the memory of a buffer. Arrow calls this.
     *
     * @param accountingAllocator Arrow's allocator that the buffer belongs to first
     * @param size the size in bytes
     * @return the manager of a new block
     * @throws OutOfMemoryException when the allocator refuses a block
     * @throws IllegalStateException when the allocator, or Arrow's, is closed
     */
    @Override
    public AllocationManager create(BufferAllocator accountingAllocator, long size) {
        KernelAllocator from = memory();
        MemorySegment block = allocate(from, size);
        try {
            return new KernelAllocationManager(accountingAllocator, from, block);
        } catch (Throwable e) {
            from.free(block); // Arrow's allocator is closed, or the Java heap is full
            throw e;
        }
    }

    private static MemorySegment allocate(KernelAllocator from, long bytes) {
        try {
            return from.allocate(bytes, ALIGNMENT_BYTES);
        } catch (AllocationException e) {
            throw new OutOfMemoryException(e.getMessage(), e);
        }
    }

    /**
     * Returns the buffer without memory, which need not be released.
     *
     * @return always the same one
     */
    @Override
    public ArrowBuf empty() {
        return empty;
    }

    @Override
    public String toString() {
        return "KernelAllocationManagerFactory[" + memory() + "]";
    }
}
