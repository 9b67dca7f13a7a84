package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The bytes that all caches of a heap may hold together. Each cache is charged for its capacity.
 */
final class CacheBudget {

    private final long limitBytes;
    private final AtomicLong takenBytes = new AtomicLong();

    CacheBudget(long limitBytes) {
        this.limitBytes = limitBytes;
    }

    /** Charges that many bytes; false if fewer are left. */
    boolean take(long bytes) {
        if (takenBytes.addAndGet(bytes) <= limitBytes) {
            return true;
        }
        takenBytes.addAndGet(-bytes);
        return false;
    }

    void give(long bytes) {
        takenBytes.addAndGet(-bytes);
    }
}
