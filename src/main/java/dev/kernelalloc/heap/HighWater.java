package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;

/** A number of bytes and its high-water mark. */
public final class HighWater {

    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong most = new AtomicLong();

    /** Adds bytes, or subtracts them. */
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
