package dev.kernelalloc.heap;

import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * The two tables of the fast path of {@link SlabHeap}: a superclass, so that they are read without
 * another load. Elements are read and written plainly and may be stale; what an element says is
 * verified by its user. {@link Slab#ABSENT} means no slab.
 */
abstract sealed class SlabHints permits SlabHeap {

    private static final int CLASS_BITS = 8;
    private static final int MAX_LENGTH = 1 << 20;

    /** By thread id and size class: the slab that the thread allocates from. */
    private Slab[] byThread = emptyTable(1 << CLASS_BITS);

    /** By address, in granules. */
    private Slab[] byGranule = emptyTable(64);

    private static Slab[] emptyTable(int length) {
        Slab[] table = new Slab[length];
        Arrays.fill(table, Slab.ABSENT);
        return table;
    }

    // ---- by thread ------------------------------------------------------------------------------

    /** The slab that the thread with an id allocates from, if it is the slab's user. */
    final Slab current(long id, int sizeClass) {
        Slab[] hints = byThread;
        return hints[((int) id << CLASS_BITS | sizeClass) & hints.length - 1]; // as at()
    }

    /** Makes {@link #current} find a slab. The table grows while live threads collide. */
    final void hintCurrent(SlabCache own, long id, Slab slab) {
        Slab[] hints = byThread;
        SlabCache other = hints[at(hints, id, slab.sizeClass)].cache;
        if (other != null && other != own && hints.length < MAX_LENGTH && other.isLive()) {
            hints = doubledByThread(hints);
        }
        hints[at(hints, id, slab.sizeClass)] = slab;
    }

    final void forgetCurrent(long id, int sizeClass) {
        Slab[] hints = byThread;
        hints[at(hints, id, sizeClass)] = Slab.ABSENT;
    }

    private static int at(Slab[] hints, long id, int sizeClass) {
        return ((int) id << CLASS_BITS | sizeClass) & hints.length - 1;
    }

    /** Without elements: only a thread itself knows which slab is its current one. */
    private Slab[] doubledByThread(Slab[] old) {
        try {
            Slab[] larger = emptyTable(old.length * 2);
            VarHandle.releaseFence(); // publishes the elements with the array
            byThread = larger;
            return larger;
        } catch (OutOfMemoryError e) {
            return old;
        }
    }

    // ---- by address -----------------------------------------------------------------------------

    /** The slab of an address, if one of its blocks starts there. */
    final Slab near(long address) {
        Slab[] hints = byGranule;
        return hints[at(hints, address >>> Range.GRANULE_BITS)];
    }

    /** Makes {@link #near} find a slab. The table grows while slabs collide. */
    final void hint(Slab slab) {
        long first = slab.address >>> Range.GRANULE_BITS;
        for (long granule = first; granule < first + slab.granules; granule++) {
            Slab[] hints = byGranule;
            Slab other = hints[at(hints, granule)];
            if (other != slab && other.cache != null && hints.length < MAX_LENGTH) {
                hints = doubledByGranule(hints);
            }
            hints[at(hints, granule)] = slab;
        }
    }

    private static int at(Slab[] hints, long granule) {
        return (int) granule & hints.length - 1;
    }

    private Slab[] doubledByGranule(Slab[] old) {
        try {
            Slab[] larger = emptyTable(old.length * 2);
            for (Slab slab : old) {
                long first = slab.address >>> Range.GRANULE_BITS;
                for (int i = 0; i < slab.granules && slab.cache != null; i++) {
                    larger[at(larger, first + i)] = slab;
                }
            }
            VarHandle.releaseFence(); // publishes the elements with the array
            byGranule = larger;
            return larger;
        } catch (OutOfMemoryError e) {
            return old;
        }
    }
}
