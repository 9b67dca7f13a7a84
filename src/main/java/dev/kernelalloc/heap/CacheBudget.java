package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The bytes that all caches of a heap may hold together. Each cache is charged for its capacity.
 */
final class CacheBudget {

    private final long limitBytes;
    private final AtomicLong chargedBytes = new AtomicLong();

    CacheBudget(long limitBytes) {
        this.limitBytes = limitBytes;
    }

    /** Charges that many bytes; false if fewer are left. */
    boolean tryCharge(long bytes) {
        if (chargedBytes.addAndGet(bytes) <= limitBytes) {
            return true;
        }
        chargedBytes.addAndGet(-bytes);
        return false;
    }

    void uncharge(long bytes) {
        chargedBytes.addAndGet(-bytes);
    }
}
