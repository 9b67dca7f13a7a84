package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** The source of an allocator's blocks. Safe to use from any thread. */
public interface BlockSource {

    /**
     * Allocates a block of its own memory, even for a size of 0.
     *
     * @param bytes the size in bytes, not negative
     * @param alignment a power of two
     * @param zeroed whether all bytes must be 0; otherwise their values are undefined
     * @throws Refusal if memory is not available; nothing has changed then
     */
    Block obtain(long bytes, long alignment, boolean zeroed) throws Refusal;

    /** Returns whether {@link #resize} supports blocks requested with that alignment. */
    default boolean resizes(long alignment) {
        return false;
    }

    /**
     * Returns whether {@link #resize} supports giving a block that alignment, which is then cheaper
     * than a new block and a copy.
     */
    default boolean resizes(Block block, long alignment) {
        return false;
    }

    /**
     * Changes the size and alignment of a block, at the same or another address. The contents are
     * kept up to the smaller size.
     *
     * @throws Refusal if memory is not available; the block is unchanged then
     */
    default Block resize(Block block, long bytes, long alignment) throws Refusal {
        throw new UnsupportedOperationException(block + " cannot be resized");
    }

    /** Releases a block that {@link #obtain} or {@link #resize} returned. */
    void release(Block block);

    /** Returns unused memory to the system. */
    default void trim() {}
}
