package dev.kernelalloc.frames;

import dev.kernelalloc.heap.Chunk;

import org.jspecify.annotations.Nullable;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Prepared chunks without a user, all of one size. They are kept as long as the chunks in use and
 * these are at most a minimum together, so that a heap which shrinks and grows again makes no
 * system call. Safe to use from any thread.
 */
final class ChunkReserve {

    /** One transparent huge page. */
    static final long UNIT_BYTES = Pages.HUGE_BYTES;

    // Guarded by this:
    private final ArrayDeque<Chunk> idle = new ArrayDeque<>();
    private long minimumBytes;
    private boolean closed;

    /** Takes a chunk, whose contents are undefined; null if there is none. */
    synchronized @Nullable Chunk take() {
        return idle.pollLast();
    }

    /** Returns whether a chunk can be taken now. */
    synchronized boolean isEmpty() {
        return idle.isEmpty();
    }

    /**
     * Keeps a chunk, unless those in use and the kept ones come to the minimum without it.
     *
     * @param usedBytes the bytes of all chunks in use, without this one
     * @return whether it is kept; otherwise the caller releases it
     */
    synchronized boolean keep(Chunk chunk, long usedBytes) {
        if (closed || chunk.bytes() != UNIT_BYTES || missing(usedBytes) < UNIT_BYTES) {
            return false;
        }
        idle.addLast(chunk);
        return true;
    }

    /** Returns the bytes that chunks in use and kept ones lack to the minimum. */
    synchronized long missing(long usedBytes) {
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
    synchronized List<Chunk> minimum(long bytes, long usedBytes) {
        minimumBytes = inUnits(bytes);
        List<Chunk> surplus = new ArrayList<>();
        while (!idle.isEmpty() && usedBytes + idle.size() * UNIT_BYTES > minimumBytes) {
            surplus.add(idle.removeFirst());
        }
        return surplus;
    }

    /** Sets the minimum back, unless another thread has set it after that to {@code bytes}. */
    synchronized List<Chunk> restore(long bytes, long before, long usedBytes) {
        return minimumBytes == inUnits(bytes) ? minimum(before, usedBytes) : List.of();
    }

    private static long inUnits(long bytes) {
        return Math.ceilDiv(bytes, UNIT_BYTES) * UNIT_BYTES;
    }

    /** Keeps nothing from now on. */
    synchronized List<Chunk> close() {
        closed = true;
        return minimum(0, 0);
    }
}
