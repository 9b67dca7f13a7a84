package dev.kernelalloc.benchmarks.heap;

/**
 * One way to obtain native memory, as a program uses it that has selected it.
 *
 * <p>Every measured JVM loads one class of this interface, so its calls are inlined. A block has no
 * common type here: an adapter keeps the representation of its peer, an address, a segment, an
 * arena or a buffer, so none pays for another's. To <i>touch</i> a block is to write a long at its
 * first and last eight bytes and to read them back; a zeroed block is read there before. Sizes are
 * at least eight.
 */
public interface Memory {

    /**
     * Allocates a block, touches it, frees it.
     *
     * @return the sum of what was read
     */
    long once(long size, long alignment, long value);

    /** The same with a block of zeros. */
    long onceZeroed(long size, long alignment, long value);

    /** Room for blocks that live on. */
    Blocks blocks(int count);

    /** Gives back what is idle, as far as the peer can be asked to. */
    default void trim() {}
}
