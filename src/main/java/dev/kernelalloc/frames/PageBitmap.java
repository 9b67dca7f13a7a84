package dev.kernelalloc.frames;

import java.util.BitSet;

/** Which pages of a slab blocks use. Guarded by {@link HeldRuns}. */
final class PageBitmap {

    private final int pages;
    private final BitSet used = new BitSet();

    PageBitmap(int pages) {
        this.pages = pages;
    }

    void allocate(int first, int count) {
        used.set(first, first + count);
    }

    void release(int first, int count) {
        used.clear(first, first + count);
    }

    boolean isEmpty() {
        return used.isEmpty();
    }

    /** Returns the first free page from a page on; the number of pages if there is none. */
    int nextFree(int from) {
        return Math.min(pages, used.nextClearBit(from));
    }

    /** Returns the end of the free pages that begin there. */
    int endOfFree(int from) {
        int next = used.nextSetBit(from);
        return next < 0 ? pages : next;
    }
}
