package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * The ranges of a heap, and the slabs that are cut from them. Nothing here waits for a lock: on
 * failure of a try-lock the next range is tried, and where none is left the source is asked.
 */
final class Slabs {

    /** The smallest that is tried where a limit refuses a larger one. */
    private static final long MIN_RANGE_BYTES = 1L << 20;

    /** So much may stay idle until the trim thread comes, within the limit of the heap. */
    private static final long MIN_IDLE_BYTES = 8L << 20;

    private static final int[] UNGUARDED = {};

    private static final VarHandle RANGES;

    static {
        try {
            RANGES = MethodHandles.lookup().findVarHandle(Slabs.class, "ranges", Range[].class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final ChunkSource source;
    private final boolean guarded;
    private final boolean shuffled;

    /** Of the blocks of all slabs, and of others. */
    private final HighWater capacity;

    /** How the slabs of each class are cut; made when the first is. */
    private final @Nullable SlabShape[] shapes = new SlabShape[SizeClasses.COUNT];

    /** By address. */
    private volatile Range[] ranges = {};

    /** Of granules that no slab has and that keep their frames. */
    private final AtomicLong idleBytes = new AtomicLong();

    private volatile long idleLimitBytes;

    /**
     * No slabs yet.
     *
     * @param capacity to which their blocks are added
     * @param guarded whether slabs note what was asked for of each block
     * @param shuffled whether blocks are handed out in random order
     */
    Slabs(
            ChunkSource source,
            long idleLimitBytes,
            HighWater capacity,
            boolean guarded,
            boolean shuffled) {
        this.source = source;
        this.idleLimitBytes = idleLimitBytes;
        this.capacity = capacity;
        this.guarded = guarded;
        this.shuffled = shuffled;
    }

    /** The slab of an address, or null. */
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

    /** Whether nothing is held of the source. */
    boolean isEmpty() {
        return ranges.length == 0;
    }

    // ---- out ------------------------------------------------------------------------------------

    /** A new slab in a range that has room; null where none has. */
    @Nullable Slab tryMake(int sizeClass) throws Refusal {
        return makeInRanges(shape(sizeClass));
    }

    /**
     * A new slab, in a new range if need be; of fewer blocks where that is all that a budget, a
     * limit of locked memory or the system has left.
     */
    Slab make(int sizeClass) throws Refusal {
        SlabShape shape = shape(sizeClass);
        try {
            return make(shape);
        } catch (Refusal e) {
            SlabShape least = shape.least();
            if (least.granules() == shape.granules()) {
                throw e;
            }
            return make(least);
        }
    }

    private SlabShape shape(int sizeClass) {
        SlabShape known = shapes[sizeClass];
        if (known == null) {
            known = SlabShape.of(sizeClass, source);
            shapes[sizeClass] = known; // a record: whoever sees it sees all of it
        }
        return known;
    }

    /** The bytes of a slab of that class. */
    long bytes(int sizeClass) {
        return shape(sizeClass).bytes();
    }

    /** Whether idle granules that keep their frames suffice for a slab, if they lie together. */
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
            long first = source.serves(range.chunk()) ? range.take(shape.granules()) : Range.NONE;
            if (first != Range.NONE) {
                return cut(shape, range, first);
            }
        }
        return null;
    }

    /** What can fail comes before the slab is seen. */
    private Slab cut(SlabShape shape, Range range, long first) throws Refusal {
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
            range.give(first, shape.granules());
            throw e;
        }
        if (range.discards()) {
            idleBytes.addAndGet(-(long) dirty << Range.GRANULE_BITS);
        }
        capacity.change(slab.blockBytes());
        slab.cache = SlabCache.IN_TRANSIT;
        range.enter(slab);
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
            } while (!RANGES.compareAndSet(this, now, with(now, range)));
        } catch (RuntimeException | Error e) {
            source.giveBack(chunk);
            throw e;
        }
    }

    private static Range[] with(Range[] now, Range range) {
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
                // A smaller one may still be had.
            }
        }
        return source.obtain(needed, Range.GRANULE_BYTES);
    }

    /** The next size to try; 0 below the smallest. */
    private static long smaller(long bytes) {
        return bytes > MIN_RANGE_BYTES ? bytes / 4 : 0;
    }

    // ---- back -----------------------------------------------------------------------------------

    /** Releases slabs that no cache has, linked by {@code next}. */
    void release(@Nullable Slab dropped) {
        Slab slab = dropped;
        while (slab != null) {
            Slab following = slab.next;
            slab.next = null;
            uncut(slab);
            slab = following;
        }
    }

    private void uncut(Slab slab) {
        Range range = rangeOf(slab.address);
        long first = slab.address - range.chunk().address() >>> Range.GRANULE_BITS;
        range.remove(slab);
        capacity.change(-slab.blockBytes());
        if (range.discards() && idleBytes.addAndGet(slab.bytes()) > maxIdleBytes()) {
            discard(range, first, slab.granules);
        } else {
            range.giveDirty(first, slab.granules);
        }
    }

    /** An eighth of what blocks have: a program that changes its sizes leaves granules behind. */
    private long maxIdleBytes() {
        return Math.min(idleLimitBytes, Math.max(MIN_IDLE_BYTES, capacity.bytes() / 8));
    }

    /** Of a run that the caller has taken, and that counts as idle. */
    private void discard(Range range, long first, int granules) {
        long bytes = (long) granules << Range.GRANULE_BITS;
        boolean discarded = false;
        try {
            discarded = source.discard(range.addressOf(first), bytes);
        } finally {
            if (discarded) {
                range.giveDiscarded(first, granules);
                idleBytes.addAndGet(-bytes);
            } else {
                range.noLongerDiscards();
                idleBytes.addAndGet(-bytes - ((long) range.dirtyGranules() << Range.GRANULE_BITS));
                range.giveDirty(first, granules);
            }
        }
    }

    /** From now on idle memory is not kept. */
    void keepNothingIdle() {
        idleLimitBytes = 0;
    }

    /** Gives all memory to the system that no slab has. */
    void trim() {
        releaseRanges();
        for (Range range : ranges) {
            discardDirty(range, false);
        }
    }

    /** Gives memory to the system that no slab has had since the last call, or longer. */
    void trimIdle() {
        releaseRanges(true);
        for (Range range : ranges) {
            discardDirty(range, true);
            range.age();
        }
    }

    private void discardDirty(Range range, boolean onlyAged) {
        while (range.discards()) {
            long run = range.takeDirty(onlyAged);
            if (run == Range.NONE) {
                return;
            }
            discard(range, (int) run, (int) (run >>> 32));
        }
    }

    /**
     * Gives ranges back that have no slabs.
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
                    range.revive(); // the Java heap is exhausted: another time
                    return released;
                }
                if (range.discards()) {
                    idleBytes.addAndGet(-(long) range.dirtyGranules() << Range.GRANULE_BITS);
                }
                source.giveBack(range.chunk());
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

    /** Visits all slabs that there are at some moment. */
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
     * Withdraws the slabs of ranges that do not serve any more.
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

    /** What has been taken from the source. */
    Tally ranges() {
        Range[] now = ranges;
        return new Tally(
                now.length, Arrays.stream(now).mapToLong(range -> range.chunk().bytes()).sum());
    }
}
