package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;

/** How many bytes all blocks have, used or not, and how many they had at most. */
public final class HighWater {

    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong most = new AtomicLong();

    /** Blocks have come, or gone; after slabs and chunks alone, never on the way of each block. */
    void change(long by) {
        long now = bytes.addAndGet(by);
        long highest = most.get();
        while (now > highest && !most.compareAndSet(highest, now)) {
            highest = most.get();
        }
    }

    /** How many there are. */
    long bytes() {
        return bytes.get();
    }

    /** The most there have been at any moment. */
    public long mostBytes() {
        return most.get();
    }
}
