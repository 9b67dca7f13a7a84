package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.heap.Block.Origin;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;

/**
 * The C heap as a source: one downcall per block, and C code may free the blocks.
 *
 * @param os the system whose heap it is
 */
public record SystemHeap(OperatingSystem os) implements BlockSource {

    /**
     * The alignment that malloc(3) guarantees on every supported platform for a block of at least
     * that size.
     */
    static final long MALLOC_ALIGNMENT_BYTES = 16;

    @Override
    public Block obtain(long bytes, long alignment, boolean zeroed) throws Refusal {
        if (alignment > MALLOC_ALIGNMENT_BYTES) {
            long capacity = Math.max(1, bytes);
            long address = os.alignedAlloc(alignment, capacity);
            try {
                if (zeroed) {
                    BulkMemory.fill(NativeMemory.segment(address, capacity), (byte) 0);
                }
                return new Block(address, bytes, capacity, Origin.C_HEAP_ALIGNED);
            } catch (Error e) {
                os.alignedFree(address); // the Java heap or stack is exhausted
                throw e;
            }
        }
        long capacity = mallocBytes(bytes, alignment);
        long address = zeroed ? os.calloc(capacity) : os.malloc(capacity);
        try {
            return new Block(address, bytes, capacity, Origin.C_HEAP);
        } catch (Error e) {
            os.free(address);
            throw e;
        }
    }

    @Override
    public boolean resizes(long alignment) {
        return alignment <= MALLOC_ALIGNMENT_BYTES;
    }

    @Override
    public boolean resizes(Block block, long alignment) {
        return block.origin() == Origin.C_HEAP && resizes(alignment);
    }

    @Override
    public Block resize(Block block, long bytes, long alignment) throws Refusal {
        long capacity = mallocBytes(bytes, alignment);
        long address = os.realloc(block.address(), capacity);
        return new Block(address, bytes, capacity, Origin.C_HEAP);
    }

    @Override
    public void release(Block block) {
        if (block.origin() == Origin.C_HEAP_ALIGNED) {
            os.alignedFree(block.address());
        } else {
            os.free(block.address());
        }
    }

    /**
     * Returns the size to request from malloc: it aligns a block only as far as an object of the
     * block's size could need, so 8 bytes at a multiple of 16 must be requested as 16.
     */
    private static long mallocBytes(long bytes, long alignment) {
        return Math.max(alignment, Alignment.up(bytes, alignment));
    }
}
