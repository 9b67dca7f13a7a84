package dev.kernelalloc.heap;

/**
 * How the slabs of a class are cut.
 *
 * @param sizeClass of the blocks
 * @param stride from block to block
 * @param lead from the start of the slab to its first block
 * @param granules that one takes
 * @param blocks in one
 */
record SlabShape(int sizeClass, int stride, int lead, int granules, int blocks) {

    /** A slab of several blocks takes no more. */
    private static final int MAX_GRANULES = 16;

    /** A slab has that many blocks where they fit. */
    private static final int ENOUGH_BLOCKS = 8;

    /** The smallest slab that leaves at most 1/32 of it unused, or else the best. */
    static SlabShape of(int sizeClass, ChunkSource source) {
        int bytes = SizeClasses.bytes(sizeClass);
        int stride = source.strideOf(bytes);
        SlabShape best = cut(sizeClass, stride, source.leadOf(bytes), granulesFor(stride));
        for (int granules = best.granules + 1; granules <= MAX_GRANULES; granules++) {
            if (best.blocks >= ENOUGH_BLOCKS && best.unused() * 32 <= best.bytes()) {
                break;
            }
            SlabShape larger = cut(sizeClass, stride, best.lead, granules);
            if (larger.unused() * best.bytes() < best.unused() * larger.bytes()
                    || best.blocks < ENOUGH_BLOCKS && larger.wastesNoMoreThan(best)) {
                best = larger;
            }
        }
        return best;
    }

    /** The smallest slab of the same blocks, whatever it leaves unused. */
    SlabShape least() {
        return cut(sizeClass, stride, lead, granulesFor(stride));
    }

    private static SlabShape cut(int sizeClass, int stride, int lead, int granules) {
        int blocks = (int) ((long) granules * Range.GRANULE_BYTES / stride);
        return new SlabShape(sizeClass, stride, lead, granules, blocks);
    }

    private static int granulesFor(int stride) {
        return Math.ceilDiv(stride, Range.GRANULE_BYTES);
    }

    /** Of one. */
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
