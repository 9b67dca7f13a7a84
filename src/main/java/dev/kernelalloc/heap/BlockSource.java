package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** Where the blocks of an allocator come from. Safe to use from any thread. */
public interface BlockSource {

    /**
     * A block of its own memory, also for a size of 0.
     *
     * @param bytes not negative
     * @param alignment a power of two
     * @param zeroed whether all its bytes must be 0; otherwise their values are undefined
     * @throws Refusal when there is none; nothing has changed then
     */
    Block obtain(long bytes, long alignment, boolean zeroed) throws Refusal;

    /** Whether there is {@link #resize} for blocks that are asked for with that alignment. */
    default boolean resizes(long alignment) {
        return false;
    }

    /**
     * Whether there is {@link #resize} for a block that is to have that alignment: a better way
     * than a new block and a copy.
     */
    default boolean resizes(Block block, long alignment) {
        return false;
    }

    /**
     * The block with another size and alignment, at the same or another address, with the contents
     * of the smaller size kept.
     *
     * @throws Refusal when there is no memory; the block is unchanged then
     */
    default Block resize(Block block, long bytes, long alignment) throws Refusal {
        throw new UnsupportedOperationException(block + " cannot be resized");
    }

    /** Takes a block back that {@link #obtain} or {@link #resize} gave. */
    void giveBack(Block block);

    /** Gives back to the system what no block uses. */
    default void trim() {}
}
