package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A large chunk, divided into granules of 64 KiB. Slabs are runs of granules; the range records
 * which slab each granule belongs to.
 *
 * <p>One thread at a time acquires granules: by try-lock; on failure the next range is tried.
 * Granules are returned without the lock: a bit is cleared atomically, and only the thread that set
 * it may clear it. A retired range is locked for ever.
 *
 * <p>A released granule is <i>dirty</i>: it may hold frames and arbitrary contents. Dirty ones are
 * acquired first, for slabs of any class: so what is resident follows what is in use.
 */
final class Range {

    /** A slab starts at a multiple of this, and its size is a multiple of it. */
    static final int GRANULE_BYTES = SizeClasses.MAX_ALIGNMENT_BYTES;

    static final int GRANULE_BITS = Integer.numberOfTrailingZeros(GRANULE_BYTES);

    /** No run. */
    static final int NONE = -1;

    private static final VarHandle LOCKED =
            FieldHandle.of(MethodHandles.lookup(), "locked", boolean.class);
    private static final VarHandle FREE_GRANULES =
            FieldHandle.of(MethodHandles.lookup(), "freeGranules", int.class);
    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);
    private static final VarHandle SLAB = MethodHandles.arrayElementVarHandle(Slab[].class);

    private final Chunk chunk;
    private final int granules;

    // Bit sets with one bit per granule:
    private final long[] used;
    private final long[] dirty;
    private final long[] aged; // dirty and free at the last visit

    private final @Nullable Slab[] slabs;

    /** A hint: changed next to the bits of {@link #used}, not atomically with them. */
    private volatile int freeGranules;

    private boolean locked;
    private volatile boolean discards = true;

    Range(Chunk chunk) {
        this.chunk = chunk;
        this.granules = (int) (chunk.bytes() / GRANULE_BYTES);
        this.freeGranules = granules;
        int words = granules + 63 >>> 6;
        this.used = new long[words];
        this.dirty = new long[words];
        this.aged = new long[words];
        this.slabs = new Slab[granules];
    }

    Chunk chunk() {
        return chunk;
    }

    /** Returns the slab of an address in this range, or null. */
    @Nullable Slab slabAt(long address) {
        long granule = address - chunk.address() >>> GRANULE_BITS;
        return Long.compareUnsigned(granule, granules) < 0
                ? (Slab) SLAB.getAcquire(slabs, (int) granule)
                : null;
    }

    /** Returns the slab that starts at a granule, or null. */
    @Nullable Slab slabStartingAt(int granule) {
        Slab slab = (Slab) SLAB.getAcquire(slabs, granule);
        return slab != null && granuleOf(slab.address) == granule ? slab : null;
    }

    int granules() {
        return granules;
    }

    void add(Slab slab) {
        set(slab, slab);
    }

    void remove(Slab slab) {
        set(slab, null);
    }

    private void set(Slab slab, @Nullable Slab value) {
        int first = granuleOf(slab.address);
        for (int i = first; i < first + slab.granules; i++) {
            SLAB.setRelease(slabs, i, value);
        }
    }

    int granuleOf(long address) {
        return (int) (address - chunk.address() >>> GRANULE_BITS);
    }

    long addressOf(int granule) {
        return chunk.address() + ((long) granule << GRANULE_BITS);
    }

    /**
     * Acquires a run of granules, dirty ones if there are any.
     *
     * @return the first granule; NONE if there is no such run, or another thread has the lock
     */
    int acquire(int count) {
        if (freeGranules < count || !LOCKED.compareAndSet(this, false, true)) {
            return NONE;
        }
        int first = find(count, true);
        if (first == NONE) {
            first = find(count, false);
        }
        if (first != NONE) {
            mark(first, count);
        }
        LOCKED.setRelease(this, false);
        return first;
    }

    private void mark(int first, int count) {
        FREE_GRANULES.getAndAdd(this, -count);
        set(used, first, count);
        clear(aged, first, count);
    }

    /**
     * Sets the bits of a run; other threads may change the other bits of its words concurrently.
     */
    private static void set(long[] bits, int first, int count) {
        for (int word = first >>> 6; word << 6 < first + count; word++) {
            WORD.getAndBitwiseOr(bits, word, mask(word, first, first + count));
        }
    }

    private static void clear(long[] bits, int first, int count) {
        for (int word = first >>> 6; word << 6 < first + count; word++) {
            WORD.getAndBitwiseAnd(bits, word, ~mask(word, first, first + count));
        }
    }

    /** Returns the bits of a run that are in a word. */
    private static long mask(int word, int first, int end) {
        long from = word == first >>> 6 ? -1L << first : -1L;
        long to = word == end - 1 >>> 6 ? -1L >>> -end : -1L;
        return from & to;
    }

    /** Returns how many granules of a run that the caller has acquired are dirty. */
    int dirty(int first, int count) {
        int sum = 0;
        for (int word = first >>> 6; word << 6 < first + count; word++) {
            sum += Long.bitCount(dirty[word] & mask(word, first, first + count));
        }
        return sum;
    }

    /** Releases a run of granules with arbitrary contents. */
    void releaseDirty(int first, int count) {
        set(dirty, first, count);
        release(first, count);
    }

    /** Releases a run of granules whose frames the system has reclaimed. */
    void releaseDiscarded(int first, int count) {
        clear(dirty, first, count);
        release(first, count);
    }

    /** Releases a run of granules in the state in which they were acquired. */
    void release(int first, int count) {
        clear(used, first, count);
        FREE_GRANULES.getAndAdd(this, count);
    }

    /** Returns whether {@link #stopDiscarding} was not called. */
    boolean discards() {
        return discards;
    }

    /**
     * Records that the system accepts no frames: dirty granules stay dirty, and do not count as
     * idle.
     */
    void stopDiscarding() {
        discards = false;
    }

    /**
     * Acquires a run of dirty granules, to be discarded.
     *
     * @param onlyAged whether to acquire only those that were free at the last visit
     * @return the first granule, and from bit 32 on their count; NONE if there is none, or another
     *     thread has the lock
     */
    long acquireDirty(boolean onlyAged) {
        if (!LOCKED.compareAndSet(this, false, true)) {
            return NONE;
        }
        long run = NONE;
        int first = next(0, onlyAged);
        if (first != NONE) {
            int end = first + 1;
            while (end < granules && next(end, onlyAged) == end) {
                end++;
            }
            mark(first, end - first);
            run = (long) (end - first) << 32 | first;
        }
        LOCKED.setRelease(this, false);
        return run;
    }

    private int next(int from, boolean onlyAged) {
        for (int i = from; i < granules; i = (i | 63) + 1) {
            long rest = idle(i >>> 6, onlyAged) >>> i;
            if (rest != 0) {
                return i + Long.numberOfTrailingZeros(rest);
            }
        }
        return NONE;
    }

    private long idle(int word, boolean onlyAged) {
        long idle = (long) WORD.getVolatile(dirty, word) & ~(long) WORD.getVolatile(used, word);
        return onlyAged ? idle & (long) WORD.getVolatile(aged, word) : idle;
    }

    /** Records which granules are dirty and free at this visit. */
    void age() {
        for (int i = 0; i < aged.length; i++) {
            WORD.getAndBitwiseOr(aged, i, idle(i, false));
        }
    }

    /** Returns whether all dirty free granules were so at the last visit. */
    boolean isAged() {
        for (int i = 0; i < aged.length; i++) {
            if (idle(i, false) != idle(i, true)) {
                return false;
            }
        }
        return true;
    }

    /** Returns how many granules are dirty and free. */
    int dirtyGranules() {
        int sum = 0;
        for (int i = 0; i < dirty.length; i++) {
            sum += Long.bitCount(idle(i, false));
        }
        return sum;
    }

    /**
     * Retires this range if no granule is used; true once, for the caller that may release the
     * chunk.
     */
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

    /** Returns whether no granule is used, at some moment of the call. */
    boolean isIdle() {
        for (int i = 0; i < used.length; i++) {
            if ((long) WORD.getVolatile(used, i) != 0) {
                return false;
            }
        }
        return true;
    }

    private int find(int count, boolean onlyDirty) {
        int run = 0;
        for (int word = 0; word < used.length; word++) {
            long free = onlyDirty ? idle(word, false) : ~(long) WORD.getVolatile(used, word);
            if (free == 0) {
                run = 0;
                continue;
            }
            int end = Math.min(granules, word + 1 << 6);
            for (int i = word << 6; i < end; i++) {
                run = (free >>> i & 1) != 0 ? run + 1 : 0;
                if (run == count) {
                    return i - count + 1;
                }
            }
        }
        return NONE;
    }
}
