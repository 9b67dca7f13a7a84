package dev.kernelalloc.heap;

/**
 * Receives events of a heap, on slow paths only, in the thread that causes them. No lock of the
 * heap is held except that of trimming. A listener must not use its heap. Exceptions that it throws
 * are dropped.
 */
public interface HeapListener {

    /** Does nothing. */
    HeapListener NONE = new HeapListener() {};

    /** The heap has obtained memory from its source. */
    default void obtained(long address, long bytes) {}

    /** The heap is about to return memory to its source. */
    default void releasing(long address, long bytes) {}

    /**
     * A cache has acquired a slab.
     *
     * @param blockBytes the size of its blocks
     * @param blocks the number of free blocks
     * @param reused whether the slab was in use before, rather than new
     */
    default void refilled(long blockBytes, int blocks, boolean reused) {}

    /** A block without a slab was allocated. */
    default void allocatedLarge(long address, long bytes) {}

    /** A block without a slab is about to be freed. */
    default void freeingLarge(long address, long bytes) {}

    /**
     * A requested trim has ended.
     *
     * @param bytes the bytes returned to the source during the trim, by any thread
     */
    default void trimmed(long bytes, long nanos) {}
}
