package dev.kernelalloc.heap;

/**
 * Told what happens in a heap, on slow paths alone, by the thread that does it and with no lock of
 * the heap held but that of trimming. A listener must not use its heap; what it throws is dropped,
 * and changes nothing.
 */
public interface HeapListener {

    /** Hears nothing. */
    HeapListener NONE = new HeapListener() {};

    /** The heap has got memory from its source. */
    default void obtained(long address, long bytes) {}

    /** The heap is about to give memory back to its source. */
    default void givingBack(long address, long bytes) {}

    /**
     * A thread or stripe has got a magazine.
     *
     * @param blockBytes the size of its blocks
     * @param blocks how many it has brought
     * @param fromDepot whether it is from the depot, or else was filled from slabs
     */
    default void refilled(long blockBytes, int blocks, boolean fromDepot) {}

    /** A block without a slab was handed out. */
    default void tookLarge(long address, long bytes) {}

    /** A block without a slab is about to be given back. */
    default void freeingLarge(long address, long bytes) {}

    /**
     * Memory was given back by request.
     *
     * @param bytes that went to the source while it lasted, whoever sent them
     */
    default void trimmed(long bytes, long nanos) {}
}
