package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Freed blocks that must not be reused for a while: a ring, from which a block leaves when another
 * replaces it. Wait-free.
 */
final class Quarantine {

    /** The usual number of blocks that it holds. */
    static final int SLOTS = 1 << 10;

    private final AtomicLongArray ring;
    private final AtomicLong added = new AtomicLong();

    /**
     * Creates an empty quarantine.
     *
     * @param slots a power of two; 0 if no block is ever added
     */
    Quarantine(int slots) {
        this.ring = new AtomicLongArray(slots);
    }

    /** Adds a block; returns the block that it replaces, or 0. */
    long exchange(long block) {
        return ring.getAndSet((int) added.getAndIncrement() & ring.length() - 1, block);
    }

    /** Removes the block in a slot; 0 if there is none. */
    long remove(int slot) {
        return ring.getAndSet(slot, 0);
    }

    int slots() {
        return ring.length();
    }
}
