package dev.kernelalloc.heap;

/**
 * A number of blocks and of bytes.
 *
 * @param blocks the number of blocks
 * @param bytes the capacity of all of them together
 */
public record Tally(long blocks, long bytes) {

    /** No blocks. */
    public static final Tally NONE = new Tally(0, 0);

    /** Returns the sum of this tally and another. */
    public Tally plus(Tally other) {
        return new Tally(blocks + other.blocks, bytes + other.bytes);
    }
}
