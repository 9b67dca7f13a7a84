package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A source that reports each chunk to a listener, and counts the bytes returned. Chunks whose
 * release calls code of the program are released after the lock of the heap.
 */
final class NotifyingChunks extends ForwardingChunks {

    private final HeapListener listener;
    private final Object lock;
    private final AtomicLong returnedBytes = new AtomicLong();

    /** Chunks that were returned under the lock. */
    private final ConcurrentLinkedQueue<Chunk> returned = new ConcurrentLinkedQueue<>();

    /**
     * @param lock the monitor of the heap under which nothing of the program is called
     */
    NotifyingChunks(ChunkSource source, HeapListener listener, Object lock) {
        super(source);
        this.listener = listener;
        this.lock = lock;
    }

    /** Returns the bytes returned so far, in whole chunks and single pages. */
    long returnedBytes() {
        return returnedBytes.get();
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        Chunk chunk = source.obtain(bytes, alignment);
        notifyObtained(chunk);
        return chunk;
    }

    @Override
    public void release(Chunk chunk) {
        notifyReleasing(chunk);
        if (!source.callsProgram() || !Thread.holdsLock(lock) || !postpone(chunk)) {
            releaseNow(chunk);
        }
    }

    private boolean postpone(Chunk chunk) {
        try {
            return returned.add(chunk);
        } catch (OutOfMemoryError e) {
            return false; // rather now, under the lock, than never
        }
    }

    private void releaseNow(Chunk chunk) {
        source.release(chunk);
        returnedBytes.addAndGet(chunk.bytes());
    }

    /** Releases what was returned under the lock, too. */
    @Override
    public void retryReleases() {
        for (Chunk chunk; (chunk = returned.poll()) != null; ) {
            releaseNow(chunk);
        }
        source.retryReleases();
    }

    @Override
    public boolean hasReleasedAll() {
        return returned.isEmpty() && source.hasReleasedAll();
    }

    @Override
    public Chunk resize(Chunk chunk, long bytes) throws Refusal {
        Chunk resized = source.resize(chunk, bytes);
        notifyReleasing(chunk); // not before: it might have failed
        notifyObtained(resized);
        return resized;
    }

    @Override
    public boolean discard(long address, long bytes) {
        boolean discarded = source.discard(address, bytes);
        if (discarded) {
            returnedBytes.addAndGet(bytes);
        }
        return discarded;
    }

    private void notifyObtained(Chunk chunk) {
        try {
            listener.obtained(chunk.address(), chunk.bytes());
        } catch (Throwable _) {
            // a chunk without a holder would be lost
        }
    }

    private void notifyReleasing(Chunk chunk) {
        try {
            listener.releasing(chunk.address(), chunk.bytes());
        } catch (Throwable _) {
            // it must be released all the same
        }
    }
}
