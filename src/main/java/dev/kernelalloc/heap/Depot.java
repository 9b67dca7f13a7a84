package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Magazines of one class that no thread has: the full ones, by which blocks go from threads that
 * free to threads that allocate, and a few empty ones.
 *
 * <p>Each is taken and given by one atomic exchange of its place; nobody waits.
 */
final class Depot {

    private static final int FULL_PLACES = 32;
    private static final int EMPTY_PLACES = 8;

    private final long magazineBytes;
    private final CacheBudget budget;
    private final AtomicReferenceArray<long @Nullable []> full =
            new AtomicReferenceArray<>(FULL_PLACES);
    private final AtomicReferenceArray<long @Nullable []> empty =
            new AtomicReferenceArray<>(EMPTY_PLACES);

    /**
     * About the fewest full ones since {@link #countAgain}. An estimate: it is stored without an
     * atomic exchange, from places that may have gaps below. One too many given back costs a
     * refill, one too few stays until the next visit; the count begins anew at each.
     */
    private volatile int fewest;

    Depot(int sizeClass, CacheBudget budget) {
        this.magazineBytes = MagazineShape.bytes(sizeClass);
        this.budget = budget;
    }

    /** A full magazine, which the caller owns now. */
    long @Nullable [] takeFull() {
        for (int i = FULL_PLACES - 1; i >= 0; i--) {
            long[] magazine = full.get(i);
            if (magazine != null && full.compareAndSet(i, magazine, null)) {
                budget.give(magazineBytes);
                if (i < fewest) {
                    fewest = i;
                }
                return magazine;
            }
        }
        fewest = 0;
        return null;
    }

    /** Takes a full magazine over; not when the places or the budget are used up. */
    boolean putFull(long[] magazine) {
        if (!budget.take(magazineBytes)) {
            return false;
        }
        for (int i = 0; i < FULL_PLACES; i++) {
            if (full.get(i) == null && full.compareAndSet(i, null, magazine)) {
                return true;
            }
        }
        budget.give(magazineBytes);
        return false;
    }

    /** An empty magazine, which the caller owns now, if there is one. */
    long @Nullable [] takeEmpty() {
        for (int i = 0; i < EMPTY_PLACES; i++) {
            long[] magazine = empty.get(i);
            if (magazine != null && empty.compareAndSet(i, magazine, null)) {
                return magazine;
            }
        }
        return null;
    }

    /** Keeps an empty magazine for another thread, or leaves it to the collector. */
    void putEmpty(long[] magazine) {
        for (int i = 0; i < EMPTY_PLACES; i++) {
            if (empty.get(i) == null && empty.compareAndSet(i, null, magazine)) {
                return;
            }
        }
    }

    /** A full magazine that nobody has needed since the last call of {@link #countAgain}. */
    long @Nullable [] takeSurplus() {
        int surplus = fewest;
        if (surplus == 0) {
            return null;
        }
        long[] magazine = takeFull();
        fewest = surplus - 1;
        return magazine;
    }

    /** Counts anew what nobody needs. */
    void countAgain() {
        fewest = magazines();
    }

    /** How many full ones there are. */
    int magazines() {
        int count = 0;
        for (int i = 0; i < FULL_PLACES; i++) {
            if (full.get(i) != null) {
                count++;
            }
        }
        return count;
    }

    /** How many blocks they hold. */
    long blocks() {
        long count = 0;
        for (int i = 0; i < FULL_PLACES; i++) {
            long[] magazine = full.get(i);
            count += magazine == null ? 0 : Magazine.size(magazine);
        }
        return count;
    }
}
