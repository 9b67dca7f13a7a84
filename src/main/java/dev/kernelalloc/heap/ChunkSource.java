package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** Where a heap gets its memory from, in large pieces. Safe to use from any thread. */
public interface ChunkSource {

    /**
     * Memory of its own.
     *
     * @param bytes more than 0
     * @param alignment a power of two
     * @throws Refusal when there is none; nothing has changed then
     */
    Chunk obtain(long bytes, long alignment) throws Refusal;

    /** Takes a chunk back that {@link #obtain} gave. */
    void giveBack(Chunk chunk);

    /**
     * Whether blocks may be cut from a chunk, and it may be kept for later ones. A chunk that has
     * lost what was requested of it is released once no block uses it; see {@link
     * SlabHeap#withdraw}.
     */
    default boolean serves(Chunk chunk) {
        return true;
    }

    /** Whether there is {@link #resize}. */
    default boolean resizes() {
        return false;
    }

    /**
     * The chunk with another size, at the same or another address, with the contents of the smaller
     * size kept, and aligned as malloc(3) aligns.
     *
     * @param bytes more than 0
     * @throws Refusal when there is no memory; the chunk is unchanged then
     */
    default Chunk resize(Chunk chunk, long bytes) throws Refusal {
        throw new Refusal.NotSupported("chunks of this source keep their size");
    }

    /**
     * Gives the frames of unused pages inside a chunk back to the system, where it takes them; the
     * pages may be used again.
     *
     * @param bytes a multiple of the page size, as is {@code address}
     * @return whether it has taken them, and they read as zeros now
     */
    boolean discard(long address, long bytes);

    /** The unit of {@link #discard} in bytes: a power of two. */
    long pageBytes();

    /**
     * How large the next range should be that slabs are cut from; smaller ones are tried where it
     * is refused. A multiple of 64 KiB. Untouched pages cost nothing in most sources, so it is
     * large.
     */
    default long rangeBytes() {
        return 64L << 20;
    }

    /**
     * How far the blocks of a slab stand apart.
     *
     * @param blockBytes their size
     * @return a multiple of every alignment that the size is a multiple of
     */
    default int strideOf(int blockBytes) {
        return blockBytes;
    }

    /**
     * How far each block stands behind the start of its place; less than {@link #strideOf}, and a
     * multiple of the same alignments.
     *
     * @param blockBytes their size
     */
    default int leadOf(int blockBytes) {
        return 0;
    }

    /**
     * Told before blocks are placed in a piece of a chunk.
     *
     * @param address of the first place
     * @param stride from place to place
     * @param places how many there are
     * @throws Refusal when it cannot serve for that
     */
    default void prepare(long address, int stride, int places) throws Refusal {}

    /** What can be done about the refusals of one request. */
    interface Relief {

        /** Nothing can be done. */
        Relief NONE = _ -> false;

        /**
         * Does the next step. The caller holds nothing of its heap and is not {@link
         * ChunkSource#enter inside}: what is called back may use the heap.
         *
         * @return whether to try again
         */
        boolean relieve(Refusal refusal);
    }

    /** Starts what can be done about the refusals of one request, by any heap of this source. */
    default Relief relief() {
        return Relief.NONE;
    }

    /** Returns whether a refusal stands whatever the heap gives back and whoever is asked. */
    default boolean isFinal(Refusal refusal) {
        return false;
    }

    /**
     * Counts the calling thread as one that may hold memory for a moment; see {@link Budget#enter}.
     *
     * @return what to pass to {@link #leave}
     */
    default boolean enter() {
        return false;
    }

    /**
     * Ends {@link #enter}.
     *
     * @param changed whether another look at the memory may find what it did not find before
     */
    default void leave(boolean entered, boolean changed) {}
}
