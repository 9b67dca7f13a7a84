package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.heap.Chunk;

import org.jspecify.annotations.Nullable;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Prepared chunks without a user, all of one size. They are kept as long as those in use and these
 * are at most a minimum together, so that a heap which shrinks and grows again makes no system
 * call. Chunks of other sizes do not count: they could not serve. Safe to use from any thread.
 */
final class ChunkReserve {

    /** One transparent huge page. */
    static final long UNIT_BYTES = Pages.HUGE_BYTES;

    // Guarded by this:
    private final ArrayDeque<Chunk> idle = new ArrayDeque<>();
    private long usedBytes;
    private long minimumBytes;
    private boolean closed;

    /** Takes a chunk into use, whose contents are undefined; null if there is none. */
    synchronized @Nullable Chunk acquire() {
        Chunk chunk = idle.pollLast();
        usedBytes += chunk == null ? 0 : UNIT_BYTES;
        return chunk;
    }

    /** Returns whether a chunk can be taken now. */
    synchronized boolean isEmpty() {
        return idle.isEmpty();
    }

    /** Counts a chunk that came into use and was not taken from here. */
    synchronized void use(Chunk chunk) {
        usedBytes += unitBytes(chunk);
    }

    /**
     * Ends the use of a chunk.
     *
     * @param serves whether it may be used again
     * @return whether it is kept; otherwise the caller releases it
     */
    synchronized boolean release(Chunk chunk, boolean serves) {
        usedBytes -= unitBytes(chunk);
        try {
            return serves && keep(new Chunk(chunk.address(), chunk.bytes(), false));
        } catch (Error e) {
            return false; // the Java heap is exhausted
        }
    }

    /**
     * Keeps a chunk that is not in use, unless those in use and the kept ones come to the minimum.
     *
     * @return whether it is kept; otherwise the caller releases it
     */
    synchronized boolean keep(Chunk chunk) {
        boolean kept = !closed && unitBytes(chunk) > 0 && missing() > 0;
        if (kept) {
            idle.addLast(chunk);
        }
        return kept;
    }

    private static long unitBytes(Chunk chunk) {
        return chunk.bytes() == UNIT_BYTES ? UNIT_BYTES : 0;
    }

    /** Returns the bytes that chunks in use and kept ones lack to the minimum. */
    synchronized long missing() {
        return Math.max(0, minimumBytes - usedBytes - idle.size() * UNIT_BYTES);
    }

    synchronized long minimum() {
        return minimumBytes;
    }

    /**
     * Sets the minimum.
     *
     * @return the chunks that are too many now; the caller releases them
     */
    synchronized List<Chunk> minimum(long bytes) {
        minimumBytes = closed ? 0 : inUnits(bytes);
        List<Chunk> surplus = new ArrayList<>();
        while (!idle.isEmpty() && usedBytes + idle.size() * UNIT_BYTES > minimumBytes) {
            surplus.add(idle.removeFirst());
        }
        return surplus;
    }

    /** Sets the minimum back, unless another thread has set it after that to {@code bytes}. */
    synchronized List<Chunk> restore(long bytes, long before) {
        return minimumBytes == inUnits(bytes) ? minimum(before) : List.of();
    }

    private static long inUnits(long bytes) {
        return Alignment.up(bytes, UNIT_BYTES);
    }

    /** Keeps nothing from now on. */
    synchronized List<Chunk> close() {
        closed = true;
        return minimum(0);
    }
}
