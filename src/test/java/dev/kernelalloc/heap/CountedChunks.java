package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Chunks of another source, counted in bytes at every instant, and refused when a test says so.
 * Counting makes no Java object.
 */
public final class CountedChunks extends ForwardingChunks {

    /** How a call fails. */
    public enum Failure {
        REFUSAL,
        EXCEPTION,
        ERROR
    }

    private final boolean resizing;
    private final AtomicLong bytesOut = new AtomicLong();
    private final AtomicLong mostOut = new AtomicLong();
    private final AtomicLong callsUntilFailure = new AtomicLong(Long.MAX_VALUE);
    private volatile Failure failure = Failure.REFUSAL;
    private volatile long largest = Long.MAX_VALUE;
    private volatile Runnable before = () -> {};

    public CountedChunks(ChunkSource source) {
        this(source, true);
    }

    private CountedChunks(ChunkSource source, boolean resizing) {
        super(source);
        this.resizing = resizing;
    }

    /** The chunks of the same source, counted anew, of which what grows is copied. */
    public CountedChunks withoutResize() {
        return new CountedChunks(source, false);
    }

    /** What is done first whenever memory is wanted, from now on. */
    public void beforeEach(Runnable action) {
        before = action;
    }

    /** Bytes obtained and not given back. */
    public long bytesOut() {
        return bytesOut.get();
    }

    /** The most they have been at any instant. */
    public long mostOut() {
        return mostOut.get();
    }

    /** The nth call from now on that wants memory fails. */
    public void failOnNth(int nth, Failure how) {
        failure = how;
        callsUntilFailure.set(nth);
    }

    /** From now on larger chunks are refused, as where few pages may be locked. */
    public void refuseLargerThan(long bytes) {
        largest = bytes;
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        before.run();
        failIfSaid();
        if (bytes > largest) {
            throw new Refusal.LockLimit("refused by the test");
        }
        Chunk chunk = source.obtain(bytes, alignment);
        count(chunk.bytes());
        return chunk;
    }

    @Override
    public void release(Chunk chunk) {
        bytesOut.addAndGet(-chunk.bytes());
        source.release(chunk);
    }

    @Override
    public boolean resizes() {
        return resizing && source.resizes();
    }

    @Override
    public Chunk resize(Chunk chunk, long bytes) throws Refusal {
        failIfSaid();
        Chunk resized = source.resize(chunk, bytes);
        count(resized.bytes() - chunk.bytes());
        return resized;
    }

    private void count(long bytes) {
        long now = bytesOut.addAndGet(bytes);
        for (long most = mostOut.get(); most < now; most = mostOut.get()) {
            mostOut.compareAndSet(most, now);
        }
    }

    private void failIfSaid() throws Refusal {
        if (callsUntilFailure.decrementAndGet() == 0) {
            switch (failure) {
                case REFUSAL -> throw new Refusal.OutOfMemory("refused by the test");
                case EXCEPTION -> throw new IllegalStateException("failed by the test");
                case ERROR -> throw new StackOverflowError("thrown by the test");
            }
        }
    }
}
