package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/**
 * The blocks of an allocator: raw ones, which the caller frees by their address, and owned ones,
 * which a box or an arena frees, once, with the size and alignment it has asked for. Safe to use
 * from any thread.
 *
 * <p>Blocks end legally after {@link #close}; only new ones are refused.
 */
public sealed interface Blocks permits SlabHeap, HardenedHeap, LiveBlocks {

    /** Marks a block whose bytes are zeros. */
    long ZEROED = 1;

    /** Marks a block whose owner is to be watched. */
    long PICKED = 2;

    /** The part of a block that is its address; the rest are marks. */
    long ADDRESS = -SizeClasses.QUANTUM_BYTES;

    /**
     * A raw block.
     *
     * @param bytes not negative
     * @param alignment a power of two
     * @return its address, never 0
     * @throws Refusal when there is no memory
     * @throws IllegalStateException when closed
     */
    long allocate(long bytes, long alignment, boolean zeroed) throws Refusal;

    /**
     * Ends a raw block.
     *
     * @throws IllegalArgumentException when no live raw block starts there; nothing has changed
     *     then
     */
    void free(long address);

    /**
     * A raw block with another size and alignment, and its contents up to the smaller size.
     *
     * @return its address, which may be the same; 0, and nothing has changed, where a new block and
     *     a copy do as well
     * @throws Refusal when there is no memory; the block is unchanged then
     * @throws IllegalArgumentException when no live raw block starts there
     * @throws IllegalStateException when closed
     */
    long resize(long address, long bytes, long alignment) throws Refusal;

    /**
     * How many bytes of a raw block may be used, at least as many as were asked for.
     *
     * @throws IllegalArgumentException when no live raw block starts there
     */
    long usableBytes(long address);

    /**
     * A block of a box or an arena.
     *
     * @return its address, never 0
     * @throws Refusal when there is no memory
     * @throws IllegalStateException when closed
     */
    long allocateOwned(long bytes, long alignment, boolean zeroed) throws Refusal;

    /**
     * The same for who looks at the marks of a block: of a box, which zeroes it itself, as it knows
     * its size. The path to take when {@link SlabHeap#tryTake} has none.
     *
     * @return its address, and {@link #ZEROED} where its bytes are zeros already
     * @throws Refusal when there is no memory
     * @throws IllegalStateException when closed
     */
    default long takeOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocateOwned(bytes, alignment, zeroed) | (zeroed ? ZEROED : 0);
    }

    /** Ends a block of {@link #allocateOwned}, which was asked for with these arguments. */
    void freeOwned(long address, long bytes, long alignment);

    /**
     * Makes a raw block an owned one: {@link #free} refuses it from now on, as it does a block of
     * {@link #allocateOwned}. It ends by {@link #freeOnceRaw}, or becomes raw again.
     *
     * @throws IllegalArgumentException when no live raw block starts there; nothing has changed
     *     then
     */
    void makeOwned(long address);

    /** Ends a block of {@link #makeOwned}, once: it was asked for with nobody knows what. */
    default void freeOnceRaw(long address) {
        makeRaw(address);
        free(address);
    }

    /**
     * Makes an owned block raw: one of {@link #allocateOwned} or {@link #makeOwned}, called by its
     * owner, once.
     */
    void makeRaw(long address);

    /**
     * How many bytes of a live block of {@link #allocateOwned} may be used, at least as many as
     * were asked for.
     *
     * @param bytes as asked for, like {@code alignment}
     */
    long usableOwned(long address, long bytes, long alignment);

    /**
     * How to ask for an owned block of many bytes that {@link #growOwned} can enlarge.
     *
     * @param alignment that the block needs
     * @return the alignment to ask for; 0 where a new block and a copy are the only way
     */
    default long growableAlignment(long alignment) {
        return 0;
    }

    /**
     * Enlarges a block of {@link #allocateOwned}, asked for with {@link #growableAlignment}.
     *
     * @param alignment that it was asked for with, and is from now on
     * @return its address, which may be the same
     * @throws Refusal when there is no memory; the block is unchanged then
     * @throws IllegalStateException when closed
     */
    default long growOwned(long address, long bytes, long alignment) throws Refusal {
        throw new UnsupportedOperationException("blocks of this heap keep their size");
    }

    /** Gives back to the system what no block uses. */
    void trim();

    /**
     * Refuses new blocks from now on.
     *
     * @throws IllegalStateException when closed before
     */
    void close();

    /**
     * Closes blocks that no thread can reach any more, and gives back to the system whatever holds
     * no live one: also what the caches of live threads hold. All that threads have done with the
     * blocks must happen before this call.
     */
    default void reclaimUnreachable() {
        if (!isClosed()) {
            close();
        }
    }

    /** Whether new blocks are refused. */
    boolean isClosed();

    /** Where the blocks are. */
    Counters counters();

    /**
     * How many bytes all blocks together have had at most, used or not; those of another heap too
     * where both were made with one {@link HighWater}.
     */
    long peakBytes();
}
