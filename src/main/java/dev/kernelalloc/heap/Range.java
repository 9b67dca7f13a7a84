package dev.kernelalloc.heap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A large chunk, cut into granules of 64 KiB, of which slabs are runs.
 *
 * <p>One thread at a time takes granules, the one that has the lock; who does not get the lock goes
 * to another range. Granules come back without it: a bit is cleared atomically, and only its taker
 * may clear it. A range that is retired is locked for ever.
 */
final class Range {

    /** A slab is a multiple of this, and starts at one. */
    static final int GRANULE_BYTES = SizeClasses.MAX_ALIGNMENT_BYTES;

    private static final VarHandle LOCKED;
    private static final VarHandle LEFT;
    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            LOCKED = lookup.findVarHandle(Range.class, "locked", boolean.class);
            LEFT = lookup.findVarHandle(Range.class, "left", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Chunk chunk;
    private final int granules;
    private final long[] taken; // a bit a granule
    private volatile int left; // granules, for a look: changed beside the bits, not with them
    private boolean locked;
    private int cursor; // of the lock's holder: where a free run was found last
    private volatile boolean zeroed;

    Range(Chunk chunk) {
        this.chunk = chunk;
        this.granules = (int) (chunk.bytes() / GRANULE_BYTES);
        this.left = granules;
        this.taken = new long[granules + 63 >>> 6];
        this.zeroed = chunk.zeroed();
    }

    Chunk chunk() {
        return chunk;
    }

    /** Whether granules that are taken from now on read as zeros. */
    boolean isZeroed() {
        return zeroed;
    }

    /**
     * The system has not taken granules back: those that are taken from now on may hold anything.
     */
    void noLongerZeroed() {
        zeroed = false;
    }

    /**
     * Takes a run of granules.
     *
     * @return its address; 0 when there is no such run, or another thread has the lock
     */
    long take(int count) {
        if (left < count || !LOCKED.compareAndSet(this, false, true)) {
            return 0;
        }
        int first = find(count, cursor, granules);
        if (first < 0) {
            first = find(count, 0, Math.min(granules, cursor + count));
        }
        if (first >= 0) {
            cursor = first;
            LEFT.getAndAdd(this, -count);
            for (int i = first; i < first + count; i++) {
                WORD.getAndBitwiseOr(taken, i >>> 6, 1L << i);
            }
        }
        LOCKED.setRelease(this, false);
        return first < 0 ? 0 : chunk.address() + (long) first * GRANULE_BYTES;
    }

    /** Gives a run of granules back. */
    void give(long address, int count) {
        int first = (int) ((address - chunk.address()) / GRANULE_BYTES);
        for (int i = first; i < first + count; i++) {
            WORD.getAndBitwiseAnd(taken, i >>> 6, ~(1L << i));
        }
        LEFT.getAndAdd(this, count);
    }

    /** Ends this range if nothing is taken: true once, for the one who may give the chunk back. */
    boolean retire() {
        if (!isIdle() || !LOCKED.compareAndSet(this, false, true)) {
            return false;
        }
        if (isIdle()) {
            return true;
        }
        LOCKED.setRelease(this, false);
        return false;
    }

    /** Undoes {@link #retire}. */
    void revive() {
        LOCKED.setRelease(this, false);
    }

    /** Whether nothing is taken, at some moment of the call. */
    boolean isIdle() {
        for (int i = 0; i < taken.length; i++) {
            if ((long) WORD.getVolatile(taken, i) != 0) {
                return false;
            }
        }
        return true;
    }

    private int find(int count, int from, int to) {
        int run = 0;
        for (int i = from; i < to; i++) {
            run = ((long) WORD.getVolatile(taken, i >>> 6) >>> i & 1) == 0 ? run + 1 : 0;
            if (run == count) {
                return i - count + 1;
            }
        }
        return -1;
    }
}
