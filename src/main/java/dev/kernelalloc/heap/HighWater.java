package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;

/** The bytes of all blocks, used or not, and their high-water mark. */
public final class HighWater {

    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong most = new AtomicLong();

    /** Adds bytes, or subtracts them; called for slabs and chunks alone, never for each block. */
    void change(long by) {
        long now = bytes.addAndGet(by);
        long highest = most.get();
        while (now > highest && !most.compareAndSet(highest, now)) {
            highest = most.get();
        }
    }

    /** Returns the current number of bytes. */
    long bytes() {
        return bytes.get();
    }

    /** Returns the high-water mark. */
    public long mostBytes() {
        return most.get();
    }
}
