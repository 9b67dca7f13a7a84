package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Chunks that exist on paper: addresses without memory, for tests that touch no block. What the
 * heap knows of a block lies beside it, so millions of them are tried in a second.
 */
final class PaperChunks implements ChunkSource {

    private static final long FIRST_ADDRESS = 1L << 40;

    private final AtomicLong next = new AtomicLong(FIRST_ADDRESS);
    private final AtomicInteger out = new AtomicInteger();

    /** How many have been obtained and not given back. */
    int chunksOut() {
        return out.get();
    }

    @Override
    public Chunk obtain(long bytes, long alignment) {
        out.incrementAndGet();
        return new Chunk(next.getAndAdd(bytes + alignment - 1 & -alignment), bytes, true);
    }

    @Override
    public void giveBack(Chunk chunk) {
        out.decrementAndGet();
    }

    @Override
    public boolean discard(long address, long bytes) {
        return true;
    }

    /**
     * No more than a slab takes: so a thread finds no room for one of its own, and meets the others
     * at theirs.
     */
    @Override
    public long rangeBytes() {
        return Range.GRANULE_BYTES;
    }

    @Override
    public long pageBytes() {
        return 4096;
    }

    /** A heap where every block comes from its slab and goes back there, and nothing is kept. */
    static SlabHeap uncachedHeapOver(PaperChunks source) {
        return new SlabHeap(new HeapSettings("on paper", 0, 0), source);
    }

    /** A slab with a place in a bin, where its token has not been offered. */
    static Slab slabIn(Bin bin) {
        SlabShape shape = bin.shape();
        long bytes = (long) shape.granules() * Range.GRANULE_BYTES;
        Range range = new Range(new Chunk(FIRST_ADDRESS, bytes, true));
        long address = range.take(shape.granules());
        return new Slab(bin, bin.reserve(), shape, range, address, new byte[shape.blocks()], null);
    }

    /** All blocks of the one slab of a class, which has no token from then on. */
    static long[] takeWholeSlab(Slabs slabs, int sizeClass) {
        long first = takeOne(slabs, sizeClass);
        long[] blocks = new long[slabs.at(first).blocks()];
        blocks[0] = first;
        for (int i = 1; i < blocks.length; i++) {
            blocks[i] = takeOne(slabs, sizeClass);
        }
        return blocks;
    }

    /** The address of one block. */
    static long takeOne(Slabs slabs, int sizeClass) {
        try {
            return slabs.takeOne(sizeClass) & ~Magazine.ZEROED;
        } catch (Refusal e) {
            throw new AssertionError("there is always paper", e);
        }
    }

    /** A raw block. */
    static long allocate(SlabHeap heap, long bytes) {
        try {
            return heap.allocate(bytes, 8);
        } catch (Refusal e) {
            throw new AssertionError("there is always paper", e);
        }
    }

    /** A raw block of its own chunk. */
    static long allocateLarge(LargeBlocks large) {
        try {
            return large.allocate(1 << 24, 8, true) & ~Magazine.ZEROED;
        } catch (Refusal e) {
            throw new AssertionError("there is always paper", e);
        }
    }
}
