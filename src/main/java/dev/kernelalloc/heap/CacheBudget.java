package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;

/** The bytes that all caches of a heap may hold together, taken for what they could hold. */
final class CacheBudget {

    private final long limitBytes;
    private final AtomicLong takenBytes = new AtomicLong();

    CacheBudget(long limitBytes) {
        this.limitBytes = limitBytes;
    }

    /** Whether there was that much left. */
    boolean take(long bytes) {
        if (takenBytes.addAndGet(bytes) <= limitBytes) {
            return true;
        }
        takenBytes.addAndGet(-bytes);
        return false;
    }

    /** Whether that much was left at some moment. */
    boolean hasLeft(long bytes) {
        return takenBytes.get() + bytes <= limitBytes;
    }

    void give(long bytes) {
        takenBytes.addAndGet(-bytes);
    }
}
