package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Chunks of addresses without memory, for tests that touch no block. The heap keeps its metadata
 * outside of blocks, so millions of them are tried per second.
 */
final class PaperChunks implements ChunkSource {

    private static final long FIRST_ADDRESS = 1L << 40;

    static final int CLASS = SizeClasses.of(1024, 8);

    private final AtomicLong next = new AtomicLong(FIRST_ADDRESS);
    private final AtomicInteger out = new AtomicInteger();

    /** Returns how many chunks have been obtained and not released. */
    int chunksOut() {
        return out.get();
    }

    @Override
    public Chunk obtain(long bytes, long alignment) {
        out.incrementAndGet();
        return new Chunk(next.getAndAdd(bytes + alignment - 1 & -alignment), bytes, true);
    }

    @Override
    public void release(Chunk chunk) {
        out.decrementAndGet();
    }

    @Override
    public boolean discard(long address, long bytes) {
        return true;
    }

    /** Returns no more than a slab takes: so a thread searches for what the others have left. */
    @Override
    public long rangeBytes() {
        return Range.GRANULE_BYTES;
    }

    @Override
    public long pageBytes() {
        return 4096;
    }

    /** Creates a heap whose threads share slabs and cache nothing. */
    static SlabHeap uncachedHeapOver(PaperChunks source) {
        return new SlabHeap(new HeapSettings("on paper", 0, 0), source);
    }

    /** Creates a slab of 64 blocks whose first ones are raw; it is in no list of the cache. */
    static Slab slabOf(SlabCache cache, int raw) {
        SlabShape shape = SlabShape.of(CLASS, new PaperChunks(), 0);
        Slab slab = new Slab(shape, FIRST_ADDRESS, true, false, new int[0]);
        cache.attach(slab);
        cache.makeCurrent(slab);
        for (int i = 0; i < raw; i++) {
            cache.pop(slab, Slab.RAW);
        }
        return slab;
    }

    /** Creates a thread's cache that the test holds. */
    static SlabCache heldCache() {
        SlabCache cache = SlabCache.vacant(new CacheBudget(Long.MAX_VALUE), Long.MAX_VALUE);
        cache.tryAcquire();
        return cache;
    }

    /**
     * Returns how many blocks the cache hands out; -1 if one is returned twice, or the slab is
     * corrupt.
     */
    static int popAll(SlabCache cache, Slab slab) {
        cache.drain();
        try {
            slab.checkInvariants();
        } catch (AssertionError e) {
            return -1;
        }
        boolean[] seen = new boolean[slab.blocks()];
        int count = 0;
        for (Slab from = cache.find(CLASS); from != null; from = cache.find(CLASS)) {
            int index = (int) slab.indexOf(cache.pop(from, Slab.OWNED) & Blocks.ADDRESS);
            if (seen[index]) {
                return -1;
            }
            seen[index] = true;
            count++;
        }
        return count;
    }

    /** Allocates a raw block. */
    static long allocate(SlabHeap heap, long bytes) {
        try {
            return heap.allocate(bytes, 8, false);
        } catch (Refusal e) {
            throw new AssertionError("there is always paper", e);
        }
    }

    /** Allocates a raw block with a chunk of its own. */
    static long allocateLarge(LargeBlocks large) {
        try {
            return large.allocate(1 << 24, 8, true) & ~Blocks.ZEROED;
        } catch (Refusal e) {
            throw new AssertionError("there is always paper", e);
        }
    }
}
