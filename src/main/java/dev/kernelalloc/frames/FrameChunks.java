package dev.kernelalloc.frames;

import dev.kernelalloc.heap.Chunk;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Slabs as chunks of the heap's engine, which cuts blocks of every size from them. All of a chunk
 * is taken at once, so chunks begin small, and grow with what is in use: at most half of it is ever
 * unused for that reason.
 */
public final class FrameChunks implements ChunkSource {

    private static final long LEAST_BYTES = 64L << 10;
    private static final long MOST_BYTES = 32L << 20;

    /** The part of the bytes that may still be locked, or taken, that a range takes at most. */
    private static final int LOCKABLE_SHARE = 4;

    private final Frames frames;
    private final PhysicalRequest request;
    private final AtomicLong heldBytes = new AtomicLong();

    /**
     * Chunks by a request, of which the size is not looked at.
     *
     * @param request that is not contiguous
     */
    public FrameChunks(Frames frames, PhysicalRequest request) {
        this.frames = frames;
        this.request = request;
    }

    @Override
    public long rangeBytes() {
        long wanted = Math.min(Long.highestOneBit(heldBytes.get()), MOST_BYTES);
        if (Ways.mustBeHuge(request)) {
            wanted = Math.max(wanted, Pages.HUGE_BYTES);
        } else {
            long left = Math.min(frames.lockableBytes(), frames.bytesLeft());
            wanted = Math.min(wanted, Long.highestOneBit(left / LOCKABLE_SHARE));
        }
        return Math.max(wanted, LEAST_BYTES);
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        PhysicalRequest aligned =
                alignment <= Pages.HUGE_BYTES ? request : request.of(0, alignment);
        FrameSlab slab = frames.scattered(aligned, bytes, FrameSlab.Use.ENGINE);
        try {
            Chunk chunk = new Chunk(slab.address(), slab.bytes(), true);
            heldBytes.addAndGet(chunk.bytes());
            return chunk;
        } catch (Error e) {
            frames.giveBack(slab.address()); // the Java heap is exhausted
            throw e;
        }
    }

    @Override
    public void giveBack(Chunk chunk) {
        heldBytes.addAndGet(-chunk.bytes());
        frames.giveBack(chunk.address());
    }

    /** False once an audit has found a guarantee lost that the request names. */
    @Override
    public boolean serves(Chunk chunk) {
        return frames.map().servesItsRequest(chunk.address());
    }

    /** Never: a page that is given up and touched again has another frame. */
    @Override
    public boolean discard(long address, long bytes) {
        return false;
    }

    @Override
    public long pageBytes() {
        return frames.pageBytes();
    }

    @Override
    public Relief relief() {
        return frames.budget().relief();
    }

    @Override
    public boolean isFinal(Refusal refusal) {
        return frames.budget().isFinal(refusal);
    }

    @Override
    public boolean enter() {
        return frames.budget().enter();
    }

    @Override
    public void leave(boolean entered, boolean changed) {
        frames.budget().leave(entered, changed);
    }
}
