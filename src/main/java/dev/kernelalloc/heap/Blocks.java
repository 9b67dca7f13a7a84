package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import java.util.Locale;

/**
 * The blocks of an allocator: raw ones, which the caller frees by their address, and owned ones,
 * which a box or an arena frees, once, with the size and alignment that it requested. Safe to use
 * from any thread.
 *
 * <p>After {@link #close}, live blocks may still be freed; only new ones are refused.
 */
public sealed interface Blocks permits SlabHeap, HardenedHeap, LiveBlocks {

    /** Marks a block whose bytes are zeros. */
    long ZEROED = 1;

    /** Marks a block whose owner is to be tracked. */
    long SAMPLED = 2;

    /** The bits of a block that are its address; the rest are marks. */
    long ADDRESS = -SizeClasses.QUANTUM_BYTES;

    /**
     * Allocates a raw block.
     *
     * @param bytes the size in bytes, not negative
     * @param alignment a power of two
     * @return its address, never 0
     * @throws Refusal if memory is not available
     * @throws IllegalStateException if closed
     */
    long allocate(long bytes, long alignment, boolean zeroed) throws Refusal;

    /**
     * Frees a raw block.
     *
     * @throws IllegalArgumentException if no live raw block starts there; nothing has changed then
     */
    void free(long address);

    /**
     * Changes the size and alignment of a raw block. The contents are kept up to the smaller size.
     *
     * @return its address, which may be the same; 0, with nothing changed, if a new block and a
     *     copy are as good
     * @throws Refusal if memory is not available; the block is unchanged then
     * @throws IllegalArgumentException if no live raw block starts there
     * @throws IllegalStateException if closed
     */
    long resize(long address, long bytes, long alignment) throws Refusal;

    /**
     * Returns the usable size of a raw block in bytes, at least the requested size.
     *
     * @throws IllegalArgumentException if no live raw block starts there
     */
    long usableBytes(long address);

    /**
     * Allocates a block for a box or an arena.
     *
     * @return its address, never 0
     * @throws Refusal if memory is not available
     * @throws IllegalStateException if closed
     */
    long allocateOwned(long bytes, long alignment, boolean zeroed) throws Refusal;

    /**
     * Allocates an owned block for a caller that checks its marks: a box, which zeroes the block
     * itself, since it has the exact size. Used when {@link SlabHeap#tryAllocateOwned} returns 0.
     *
     * @return its address, with {@link #ZEROED} if its bytes are zeros already
     * @throws Refusal if memory is not available
     * @throws IllegalStateException if closed
     */
    default long allocateOwnedMarked(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocateOwned(bytes, alignment, zeroed) | (zeroed ? ZEROED : 0);
    }

    /** Frees a block of {@link #allocateOwned} that was requested with these arguments. */
    void freeOwned(long address, long bytes, long alignment);

    /**
     * Makes a raw block an owned one: from now on {@link #free} rejects it, as it does a block of
     * {@link #allocateOwned}. It is freed by {@link #freeOnceRaw}, or becomes raw again.
     *
     * @throws IllegalArgumentException if no live raw block starts there; nothing has changed then
     */
    void makeOwned(long address);

    /** Frees a block of {@link #makeOwned}, once; its requested size and alignment are unknown. */
    default void freeOnceRaw(long address) {
        makeRaw(address);
        free(address);
    }

    /**
     * Makes an owned block raw: one of {@link #allocateOwned} or {@link #makeOwned}. Called by its
     * owner, once.
     */
    void makeRaw(long address);

    /**
     * Returns the usable size of a live block of {@link #allocateOwned} in bytes, at least the
     * requested size.
     *
     * @param bytes the requested size
     * @param alignment the requested alignment
     */
    long usableOwned(long address, long bytes, long alignment);

    /**
     * Returns the alignment with which to request a large owned block that {@link #growOwned} can
     * enlarge.
     *
     * @param alignment the alignment that the block needs
     * @return the alignment to request; 0 if a new block and a copy are the only way
     */
    default long growableAlignment(long alignment) {
        return 0;
    }

    /**
     * Enlarges a block of {@link #allocateOwned} that was requested with {@link
     * #growableAlignment}.
     *
     * @param alignment the alignment with which it was requested, and which it keeps
     * @return its address, which may be the same
     * @throws Refusal if memory is not available; the block is unchanged then
     * @throws IllegalStateException if closed
     */
    default long growOwned(long address, long bytes, long alignment) throws Refusal {
        throw new UnsupportedOperationException("blocks of this heap keep their size");
    }

    /** Returns unused memory to the system. */
    void trim();

    /**
     * Refuses new blocks from now on.
     *
     * @throws IllegalStateException if already closed
     */
    void close();

    /**
     * Closes blocks that no thread can reach any more, and returns to the system all memory without
     * a live block, including the caches of live threads. All accesses of threads to the blocks
     * must happen before this call.
     */
    default void reclaimUnreachable() {
        if (!isClosed()) {
            close();
        }
    }

    /** Returns whether new blocks are refused. */
    boolean isClosed();

    /** Returns how many blocks are in each state. */
    Counters counters();

    /**
     * Returns the high-water mark of the bytes of all blocks, used or not; another heap's blocks
     * are included if both were created with one {@link HighWater}.
     */
    long peakBytes();

    /**
     * Returns the refusal of a size that no machine has. Concatenated by hand: a formatter would
     * load classes while the Java heap may be nearly exhausted.
     */
    static Refusal unaddressable(long bytes) {
        return new Refusal.OutOfMemory(
                Long.toString(bytes).concat(" bytes are more than can be addressed"));
    }

    /** Returns the exception for an address that is in no block. */
    static IllegalArgumentException notALiveBlock(long address) {
        return new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "0x%x is not the start of a live block of this allocator: it was freed"
                                + " before, or comes from elsewhere",
                        address));
    }

    /** Returns the exception for a request to a closed allocator. */
    static IllegalStateException closed(String tag) {
        return new IllegalStateException("allocator '" + tag + "' is closed");
    }
}
