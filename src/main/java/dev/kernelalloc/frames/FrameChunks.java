package dev.kernelalloc.frames;

import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.heap.Chunk;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.Retry;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.jspecify.annotations.Nullable;

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

    /** The bytes of chunks in use. */
    private final AtomicLong heldBytes = new AtomicLong();

    private final ChunkReserve reserve = new ChunkReserve();

    /**
     * Chunks by a request, of which the size is not looked at.
     *
     * @param request that is not contiguous
     */
    public FrameChunks(Frames frames, PhysicalRequest request) {
        this.frames = frames;
        this.request = request.of(request.size(), Pages.HUGE_BYTES); // beside no other slab
    }

    /**
     * Prepares memory ahead: from now on chunks of 2 MiB, in use and idle, come to a minimum.
     *
     * @param bytes the minimum, rounded up to 2 MiB; 0 releases idle chunks
     * @param own the remedies of the allocator
     * @throws Refusal if there is not as much; the minimum is as before then
     */
    public void reserve(long bytes, Retry.Remedy own) throws Refusal {
        if (request.pages() == PagePolicy.HUGE_1G) {
            throw new Refusal.NotSupported("pages of 1 GiB are not reserved in units of 2 MiB");
        }
        if (bytes > Long.MAX_VALUE / 2) {
            throw new Refusal.OutOfMemory("more bytes than can be addressed: " + bytes);
        }
        long before = reserve.minimum();
        reserve.minimum(bytes).forEach(this::releaseSlab);
        try {
            Retry retry = new Retry(own, budget().relief(), Retry.FIRST_STEPS);
            while (reserve.missing() > 0) {
                try {
                    keep(made(ChunkReserve.UNIT_BYTES, Pages.HUGE_BYTES));
                } catch (Refusal e) {
                    retry.after(e);
                }
            }
        } catch (Refusal | RuntimeException | Error e) {
            reserve.restore(bytes, before).forEach(this::releaseSlab);
            throw e;
        }
    }

    /** Others may have returned what was missing meanwhile: listeners run without a lock. */
    private void keep(Chunk chunk) throws Refusal {
        boolean kept;
        try {
            kept = reserve.keep(chunk);
        } catch (Error e) {
            releaseSlab(chunk); // the Java heap is exhausted
            throw e;
        }
        if (!kept) {
            releaseSlab(chunk);
            if (chunk.bytes() != ChunkReserve.UNIT_BYTES) {
                throw new Refusal.NotSupported(
                        "slabs of this request are of "
                                + chunk.bytes()
                                + " bytes, and a reserve is of 2 MiB slabs");
            }
        }
    }

    /** Releases what is idle, and keeps nothing from now on. */
    public void closeReserve() {
        reserve.close().forEach(this::releaseSlab);
    }

    @Override
    public long rangeBytes() {
        if (!reserve.isEmpty()) {
            return ChunkReserve.UNIT_BYTES;
        }
        long wanted = Math.min(Long.highestOneBit(heldBytes.get()), MOST_BYTES);
        if (Backings.mustBeHuge(request)) {
            wanted = Math.max(wanted, Pages.HUGE_BYTES);
        } else {
            long left = Math.min(frames.lockableBytes(), frames.bytesLeft());
            wanted = Math.min(wanted, Long.highestOneBit(left / LOCKABLE_SHARE));
        }
        return Math.max(wanted, LEAST_BYTES);
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        Chunk chunk = null;
        if (bytes == ChunkReserve.UNIT_BYTES && alignment <= Pages.HUGE_BYTES) {
            chunk = ofReserve();
        }
        if (chunk == null) {
            chunk = made(bytes, alignment);
            reserve.use(chunk);
        }
        heldBytes.addAndGet(chunk.bytes());
        return chunk;
    }

    /** One that has lost a guarantee while it was idle serves nothing. */
    private @Nullable Chunk ofReserve() {
        Chunk chunk = reserve.acquire();
        while (chunk != null && !serves(chunk)) {
            reserve.release(chunk, false);
            releaseSlab(chunk);
            chunk = reserve.acquire();
        }
        return chunk;
    }

    private Chunk made(long bytes, long alignment) throws Refusal {
        PhysicalRequest aligned =
                alignment <= Pages.HUGE_BYTES ? request : request.of(0, alignment);
        FrameSlab slab = frames.scattered(aligned, bytes, FrameSlab.Use.ENGINE);
        try {
            return new Chunk(slab.address(), slab.bytes(), true);
        } catch (Error e) {
            frames.release(slab.address()); // the Java heap is exhausted
            throw e;
        }
    }

    @Override
    public void release(Chunk chunk) {
        heldBytes.addAndGet(-chunk.bytes());
        if (!reserve.release(chunk, serves(chunk))) {
            releaseSlab(chunk);
        }
    }

    private void releaseSlab(Chunk chunk) {
        frames.release(chunk.address());
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
    public Budget budget() {
        return frames.budget();
    }
}
