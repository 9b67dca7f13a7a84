package dev.kernelalloc.heap;

/**
 * The layout of the slabs of a class.
 *
 * @param sizeClass the class of the blocks
 * @param stride the distance between blocks
 * @param lead the offset of the first block in the slab
 * @param granules the granules per slab
 * @param blocks the blocks per slab
 */
record SlabShape(int sizeClass, int stride, int lead, int granules, int blocks) {

    /** The most granules of a slab of several blocks. */
    private static final int MAX_GRANULES = 16;

    /** The number of blocks that a slab has if they fit. */
    private static final int MIN_BLOCKS = 8;

    /**
     * The same where memory is not scarce: a slab that is filled and emptied in turns takes three
     * slow calls each time, whatever its size.
     */
    private static final int MIN_BLOCKS_OF_LARGER = 16;

    /**
     * Returns the smallest slab that has enough blocks and leaves at most 1/32 of it unused, or
     * else the best.
     *
     * @param enlargedBytes the most bytes for which a slab is enlarged to {@value
     *     #MIN_BLOCKS_OF_LARGER} blocks
     */
    static SlabShape of(int sizeClass, ChunkSource source, long enlargedBytes) {
        int bytes = SizeClasses.bytes(sizeClass);
        int stride = source.strideOf(bytes);
        SlabShape best = cut(sizeClass, stride, source.leadOf(bytes), granulesFor(stride));
        for (int granules = best.granules + 1; granules <= MAX_GRANULES; granules++) {
            SlabShape next = cut(sizeClass, stride, best.lead, granules);
            int enough = next.bytes() <= enlargedBytes ? MIN_BLOCKS_OF_LARGER : MIN_BLOCKS;
            if (best.blocks >= enough && best.unused() * 32 <= best.bytes()) {
                break;
            }
            if (next.unused() * best.bytes() < best.unused() * next.bytes()
                    || best.blocks < enough && next.wastesNoMoreThan(best)) {
                best = next;
            }
        }
        return best;
    }

    /** Returns the smallest slab of the same blocks, whatever it leaves unused. */
    SlabShape smallest() {
        return cut(sizeClass, stride, lead, granulesFor(stride));
    }

    private static SlabShape cut(int sizeClass, int stride, int lead, int granules) {
        int blocks = (int) ((long) granules * Range.GRANULE_BYTES / stride);
        return new SlabShape(sizeClass, stride, lead, granules, blocks);
    }

    private static int granulesFor(int stride) {
        return Math.ceilDiv(stride, Range.GRANULE_BYTES);
    }

    /** Returns the bytes of one slab. */
    long bytes() {
        return (long) granules * Range.GRANULE_BYTES;
    }

    private long unused() {
        return bytes() - (long) blocks * stride;
    }

    private boolean wastesNoMoreThan(SlabShape other) {
        return unused() * other.bytes() <= other.unused() * bytes();
    }
}
