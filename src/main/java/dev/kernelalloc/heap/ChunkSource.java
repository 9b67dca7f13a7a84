package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** The source of a heap's memory, in large pieces. Safe to use from any thread. */
public interface ChunkSource {

    /**
     * Obtains a chunk.
     *
     * @param bytes the size in bytes, more than 0
     * @param alignment a power of two
     * @throws Refusal if memory is not available; nothing has changed then
     */
    Chunk obtain(long bytes, long alignment) throws Refusal;

    /** Releases a chunk that {@link #obtain} returned. */
    void release(Chunk chunk);

    /**
     * Returns whether {@link #release} calls code of the program, which may wait for other threads,
     * and so must not be called with a lock held.
     */
    default boolean callsProgram() {
        return false;
    }

    /**
     * Retries what {@link #release} could not release, because it was in use. Called without a
     * lock.
     */
    default void retryReleases() {}

    /** Returns whether {@link #retryReleases} has nothing to do. */
    default boolean hasReleasedAll() {
        return true;
    }

    /**
     * Returns whether blocks may be cut from a chunk, and whether it may be kept for later ones. A
     * chunk that has lost what was requested of it is released once no block uses it; see {@link
     * SlabHeap#withdraw}.
     */
    default boolean serves(Chunk chunk) {
        return true;
    }

    /** Returns whether {@link #resize} is supported. */
    default boolean resizes() {
        return false;
    }

    /**
     * Changes the size of a chunk, at the same or another address. The contents are kept up to the
     * smaller size. The result is aligned as malloc(3) aligns.
     *
     * @param bytes the new size in bytes, more than 0
     * @throws Refusal if memory is not available; the chunk is unchanged then
     */
    default Chunk resize(Chunk chunk, long bytes) throws Refusal {
        throw new Refusal.NotSupported("chunks of this source keep their size");
    }

    /**
     * Returns the frames of unused pages inside a chunk to the system, if it accepts them. The
     * pages may be used again.
     *
     * @param address a multiple of the page size
     * @param bytes a multiple of the page size
     * @return whether the system has accepted them, so that they read as zeros
     */
    boolean discard(long address, long bytes);

    /** Returns the unit of {@link #discard} in bytes: a power of two. */
    long pageBytes();

    /**
     * Returns the size of the next range from which slabs are cut; smaller ones are tried if it is
     * refused. A multiple of 64 KiB. It is large, as untouched pages cost nothing in most sources.
     */
    default long rangeBytes() {
        return 64L << 20;
    }

    /**
     * Returns the distance between the blocks of a slab.
     *
     * @param blockBytes the size of the blocks
     * @return a multiple of every alignment that the size is a multiple of
     */
    default int strideOf(int blockBytes) {
        return blockBytes;
    }

    /**
     * Returns the offset of a block from the start of its stride; less than {@link #strideOf}, and
     * a multiple of the same alignments.
     *
     * @param blockBytes the size of the blocks
     */
    default int leadOf(int blockBytes) {
        return 0;
    }

    /**
     * Called before blocks are placed in a piece of a chunk.
     *
     * @param address the address of the first stride
     * @param stride the distance between blocks
     * @param strides the number of strides
     * @throws Refusal if the piece cannot be used for that
     */
    default void prepare(long address, int stride, int strides) throws Refusal {}

    /** Returns the budget to which chunks are charged; always the same one. */
    default Budget budget() {
        return Budget.NONE;
    }
}
