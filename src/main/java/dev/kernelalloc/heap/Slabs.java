package dev.kernelalloc.heap;

import dev.kernelalloc.heap.Counters.Tally;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * The ranges of a heap, and the slabs cut from them. No method waits for a lock: if a try-lock
 * fails the next range is tried, and after the last one the source is called.
 */
final class Slabs {

    /** The smallest range that is tried if a limit refuses a larger one. */
    private static final long MIN_RANGE_BYTES = 1L << 20;

    /** The bytes that may stay idle until the trim thread runs, within the limit of the heap. */
    private static final long MIN_IDLE_BYTES = 4L << 20;

    private static final int[] UNGUARDED = {};

    private static final VarHandle RANGES =
            FieldHandle.of(MethodHandles.lookup(), "ranges", Range[].class);

    private final ChunkSource source;
    private final long largerSlabBytes;
    private final boolean guarded;
    private final boolean shuffled;

    /** The bytes of the blocks of all slabs, and of other blocks. */
    private final HighWater capacity;

    /** The layout of the slabs of each class; created with the first slab. */
    private final @Nullable SlabShape[] shapes = new SlabShape[SizeClasses.COUNT];

    /** Sorted by address. */
    private volatile Range[] ranges = {};

    /** The bytes of granules that belong to no slab and keep their frames. */
    private final AtomicLong idleBytes = new AtomicLong();

    private volatile long idleLimitBytes;

    /**
     * Creates an empty set of slabs.
     *
     * @param largerSlabBytes the size to which slabs are enlarged for the sake of speed
     * @param capacity counts their blocks
     * @param guarded whether slabs record the requested size of each block
     * @param shuffled whether blocks are handed out in random order
     */
    Slabs(
            ChunkSource source,
            long idleLimitBytes,
            long largerSlabBytes,
            HighWater capacity,
            boolean guarded,
            boolean shuffled) {
        this.source = source;
        this.idleLimitBytes = idleLimitBytes;
        this.largerSlabBytes = largerSlabBytes;
        this.capacity = capacity;
        this.guarded = guarded;
        this.shuffled = shuffled;
    }

    /** Returns the slab of an address, or null. */
    @Nullable Slab at(long address) {
        Range range = rangeOf(address);
        return range == null ? null : range.slabAt(address);
    }

    private @Nullable Range rangeOf(long address) {
        Range[] all = ranges;
        int low = 0;
        int high = all.length;
        while (low < high) {
            int middle = low + high >>> 1;
            Chunk chunk = all[middle].chunk();
            if (Long.compareUnsigned(address, chunk.address()) < 0) {
                high = middle;
            } else if (Long.compareUnsigned(address - chunk.address(), chunk.bytes()) < 0) {
                return all[middle];
            } else {
                low = middle + 1;
            }
        }
        return null;
    }

    /** Returns whether it holds no memory of the source. */
    boolean isEmpty() {
        return ranges.length == 0;
    }

    // ---- creating slabs -------------------------------------------------------------------------

    /** Creates a slab in a range that has room; null if none has. */
    @Nullable Slab tryMake(int sizeClass) throws Refusal {
        return makeInRanges(shape(sizeClass));
    }

    /**
     * Creates a slab, in a new range if need be; with fewer blocks if a budget, a limit of locked
     * memory or the system has too little left.
     */
    Slab make(int sizeClass) throws Refusal {
        SlabShape shape = shape(sizeClass);
        try {
            return make(shape);
        } catch (Refusal e) {
            SlabShape least = shape.smallest();
            if (least.granules() == shape.granules()) {
                throw e;
            }
            return make(least);
        }
    }

    private SlabShape shape(int sizeClass) {
        SlabShape known = shapes[sizeClass];
        if (known == null) {
            known = SlabShape.of(sizeClass, source, largerSlabBytes);
            shapes[sizeClass] = known; // a record: its fields are visible with its reference
        }
        return known;
    }

    /** Returns the bytes of a slab of that class. */
    long bytes(int sizeClass) {
        return shape(sizeClass).bytes();
    }

    /**
     * Returns whether idle granules that keep their frames suffice for a slab, if they are
     * contiguous.
     */
    boolean hasIdle(int sizeClass) {
        return idleBytes.get() >= shape(sizeClass).bytes();
    }

    private Slab make(SlabShape shape) throws Refusal {
        Slab slab = makeInRanges(shape);
        while (slab == null) {
            addRange(shape.bytes());
            slab = makeInRanges(shape);
        }
        return slab;
    }

    private @Nullable Slab makeInRanges(SlabShape shape) throws Refusal {
        for (Range range : ranges) {
            if (source.serves(range.chunk())) {
                int first = range.acquire(shape.granules());
                if (first != Range.NONE) {
                    return cut(shape, range, first);
                }
            }
        }
        return null;
    }

    /** Creates a slab in a run. All that can fail precedes the publication of the slab. */
    private Slab cut(SlabShape shape, Range range, int first) throws Refusal {
        Slab slab;
        int dirty;
        try {
            dirty = range.dirty(first, shape.granules());
            int[] guardedBytes = guarded ? new int[shape.blocks()] : UNGUARDED;
            long address = range.addressOf(first);
            source.prepare(address, shape.stride(), shape.blocks());
            boolean zeroed = dirty == 0 && range.chunk().zeroed();
            slab = new Slab(shape, address, zeroed, shuffled, guardedBytes);
        } catch (Refusal | RuntimeException | Error e) {
            range.release(first, shape.granules());
            throw e;
        }
        if (range.discards()) {
            idleBytes.addAndGet(-(long) dirty << Range.GRANULE_BITS);
        }
        capacity.change(slab.blockBytes());
        slab.cache = SlabCache.IN_TRANSIT;
        range.add(slab);
        VarHandle.fullFence(); // either withdraw sees the slab, or the lost chunk is seen here
        if (!source.serves(range.chunk())) {
            slab.withdraw();
        }
        return slab;
    }

    private void addRange(long needed) throws Refusal {
        Chunk chunk = obtainRange(needed);
        try {
            Range range = new Range(chunk);
            Range[] now;
            do {
                now = ranges;
            } while (!RANGES.compareAndSet(this, now, plus(now, range)));
        } catch (RuntimeException | Error e) {
            source.release(chunk);
            throw e;
        }
    }

    private static Range[] plus(Range[] now, Range range) {
        Range[] more = new Range[now.length + 1];
        int at = 0;
        while (at < now.length
                && Long.compareUnsigned(now[at].chunk().address(), range.chunk().address()) < 0) {
            more[at] = now[at++];
        }
        more[at] = range;
        System.arraycopy(now, at, more, at + 1, now.length - at);
        return more;
    }

    private Chunk obtainRange(long needed) throws Refusal {
        for (long bytes = source.rangeBytes(); bytes > needed; bytes = smaller(bytes)) {
            try {
                return source.obtain(bytes, Range.GRANULE_BYTES);
            } catch (Refusal _) {
                // A smaller one may still succeed.
            }
        }
        return source.obtain(needed, Range.GRANULE_BYTES);
    }

    /** Returns the next size to try; 0 below the smallest. */
    private static long smaller(long bytes) {
        return bytes > MIN_RANGE_BYTES ? bytes / 4 : 0;
    }

    // ---- releasing slabs ------------------------------------------------------------------------

    /** Releases slabs that belong to no cache, linked by {@code next}. */
    void release(@Nullable Slab dropped) {
        Slab slab = dropped;
        while (slab != null) {
            Slab following = slab.next;
            slab.next = null;
            destroy(slab);
            slab = following;
        }
    }

    private void destroy(Slab slab) {
        Range range = rangeOf(slab.address);
        int first = range.granuleOf(slab.address);
        range.remove(slab);
        capacity.change(-slab.blockBytes());
        if (range.discards() && idleBytes.addAndGet(slab.bytes()) > maxIdleBytes()) {
            discard(range, first, slab.granules);
        } else {
            range.releaseDirty(first, slab.granules);
        }
    }

    /**
     * Returns a sixteenth of the bytes of blocks: a program that changes its sizes leaves granules
     * behind.
     */
    private long maxIdleBytes() {
        return Math.min(idleLimitBytes, Math.max(MIN_IDLE_BYTES, capacity.bytes() / 16));
    }

    /** Discards a run that the caller has acquired, and that counts as idle. */
    private void discard(Range range, int first, int granules) {
        long bytes = (long) granules << Range.GRANULE_BITS;
        boolean discarded = false;
        try {
            discarded = source.discard(range.addressOf(first), bytes);
        } finally {
            if (discarded) {
                range.releaseDiscarded(first, granules);
                idleBytes.addAndGet(-bytes);
            } else {
                range.stopDiscarding();
                idleBytes.addAndGet(-bytes - ((long) range.dirtyGranules() << Range.GRANULE_BITS));
                range.releaseDirty(first, granules);
            }
        }
    }

    /** Keeps no idle memory from now on. */
    void stopKeepingIdle() {
        idleLimitBytes = 0;
    }

    /** Returns all memory to the system that belongs to no slab. */
    void trim() {
        releaseRanges();
        for (Range range : ranges) {
            discardDirty(range, false);
        }
    }

    /** Returns memory to the system that has belonged to no slab since the last call or longer. */
    void trimIdle() {
        releaseRanges(true);
        for (Range range : ranges) {
            discardDirty(range, true);
            range.age();
        }
    }

    private void discardDirty(Range range, boolean onlyAged) {
        while (range.discards()) {
            long run = range.acquireDirty(onlyAged);
            if (run == Range.NONE) {
                return;
            }
            discard(range, (int) run, (int) (run >>> 32));
        }
    }

    /**
     * Releases ranges that have no slabs.
     *
     * @return whether there was one
     */
    boolean releaseRanges() {
        return releaseRanges(false);
    }

    private boolean releaseRanges(boolean onlyAged) {
        boolean released = false;
        for (Range range : ranges) {
            if ((!onlyAged || range.isAged()) && range.retire()) {
                try {
                    remove(range);
                } catch (OutOfMemoryError e) {
                    range.revive(); // the Java heap is exhausted: a later call tries again
                    return released;
                }
                if (range.discards()) {
                    idleBytes.addAndGet(-(long) range.dirtyGranules() << Range.GRANULE_BITS);
                }
                source.release(range.chunk());
                released = true;
            }
        }
        return released;
    }

    private void remove(Range range) {
        Range[] now;
        Range[] fewer;
        do {
            now = ranges;
            fewer = new Range[now.length - 1];
            int kept = 0;
            for (Range other : now) {
                if (other != range) {
                    fewer[kept++] = other;
                }
            }
        } while (!RANGES.compareAndSet(this, now, fewer));
    }

    // ---- counting -------------------------------------------------------------------------------

    /** Visits all slabs that exist at some moment. */
    void forEach(Consumer<Slab> visitor) {
        for (Range range : ranges) {
            for (int i = 0; i < range.granules(); i++) {
                Slab slab = range.slabStartingAt(i);
                if (slab != null) {
                    visitor.accept(slab);
                }
            }
        }
    }

    /**
     * Withdraws the slabs of ranges that no longer serve.
     *
     * @return whether there were any
     */
    boolean withdraw() {
        VarHandle.fullFence();
        boolean found = false;
        for (Range range : ranges) {
            if (!source.serves(range.chunk())) {
                for (int i = 0; i < range.granules(); i++) {
                    Slab slab = range.slabStartingAt(i);
                    if (slab != null && !slab.isWithdrawn()) {
                        slab.withdraw();
                        found = true;
                    }
                }
            }
        }
        return found;
    }

    /** Returns the memory obtained from the source. */
    Tally ranges() {
        Range[] now = ranges;
        return new Tally(
                now.length, Arrays.stream(now).mapToLong(range -> range.chunk().bytes()).sum());
    }
}
