package dev.kernelalloc.heap;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Blocks that were freed and must not be used again for a while: a ring, from which a block leaves
 * when another takes its place. Nobody waits.
 */
final class Quarantine {

    /** As many blocks as it usually holds. */
    static final int PLACES = 1 << 10;

    private final AtomicLongArray ring;
    private final AtomicLong added = new AtomicLong();

    /**
     * An empty one.
     *
     * @param places a power of two; or 0, then nothing may be put in
     */
    Quarantine(int places) {
        this.ring = new AtomicLongArray(places);
    }

    /** Puts a block in; the block that leaves for it, or 0. */
    long exchange(long block) {
        return ring.getAndSet((int) added.getAndIncrement() & ring.length() - 1, block);
    }

    /** Takes any block out; 0 when there is none left from {@code place} on. */
    long take(int place) {
        return ring.getAndSet(place, 0);
    }

    int places() {
        return ring.length();
    }

    /** The block at a place, for a look from outside, or 0. */
    long at(int place) {
        return ring.get(place);
    }
}
