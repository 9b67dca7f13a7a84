package dev.kernelalloc.heap;

/**
 * Some blocks.
 *
 * @param blocks how many
 * @param bytes of all of them together, as taken for them
 */
public record Tally(long blocks, long bytes) {

    /** No blocks. */
    public static final Tally NONE = new Tally(0, 0);

    /** These and others. */
    public Tally plus(Tally other) {
        return new Tally(blocks + other.blocks, bytes + other.bytes);
    }
}
