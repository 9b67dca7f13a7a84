package dev.kernelalloc.frames;

import java.util.BitSet;

/** Which pages of a slab blocks use. Guarded by {@link HeldRuns}. */
final class TakenPages {

    private final int pages;
    private final BitSet taken = new BitSet();

    TakenPages(int pages) {
        this.pages = pages;
    }

    void take(int first, int count) {
        taken.set(first, first + count);
    }

    void give(int first, int count) {
        taken.clear(first, first + count);
    }

    boolean isEmpty() {
        return taken.isEmpty();
    }

    /** The first free page from a page on; the number of pages when there is none. */
    int nextFree(int from) {
        return Math.min(pages, taken.nextClearBit(from));
    }

    /** Returns the end of the free pages that begin there. */
    int endOfFree(int from) {
        int next = taken.nextSetBit(from);
        return next < 0 ? pages : next;
    }
}
