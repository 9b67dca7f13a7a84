package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The slabs of a heap: what its caches are filled from and emptied into. Nothing here waits for a
 * lock. What is busy is passed over, and where nothing else is left a new slab or range is made.
 */
final class Slabs {

    /** The smallest that is tried where a limit refuses a larger one. */
    private static final long MIN_RANGE_BYTES = 1L << 20;

    /** A refill goes to so many slabs at most. */
    private static final int REFILL_SLABS = 8;

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

    /** Of the blocks of all slabs, and of others. */
    private final HighWater capacity;

    private final Bin[] bins = new Bin[SizeClasses.COUNT];
    private final SlabTable table = new SlabTable();
    private volatile Range[] ranges = {};

    /** Of slabs that are idle and keep their pages. */
    private final AtomicLong idleBytes = new AtomicLong();

    private volatile long idleLimitBytes;

    /**
     * No slabs yet.
     *
     * @param capacity to which their blocks are added
     * @param guarded whether slabs note what was asked for of each block
     */
    Slabs(ChunkSource source, long idleLimitBytes, HighWater capacity, boolean guarded) {
        this.source = source;
        this.guarded = guarded;
        this.capacity = capacity;
        this.idleLimitBytes = idleLimitBytes;
        Arrays.setAll(bins, sizeClass -> new Bin(SlabShape.of(sizeClass, source)));
    }

    /** From addresses to slabs. */
    SlabTable table() {
        return table;
    }

    /** The slab of an address; or another, or null, when it lies in none. */
    @Nullable Slab at(long address) {
        return table.find(address);
    }

    /** Whether nothing is held of the source. */
    boolean isEmpty() {
        return ranges.length == 0;
    }

    // ---- out ----------------------------------------------------------------------------------

    /**
     * Fills an empty magazine as far as slabs with free blocks are at hand; with one new slab where
     * none is.
     *
     * @throws Refusal when there is no memory; the magazine is still empty
     */
    void fill(int sizeClass, long[] magazine) throws Refusal {
        Bin bin = bins[sizeClass];
        int wanted = Magazine.capacity(magazine);
        for (int i = 0; i < REFILL_SLABS && wanted > 0; i++) {
            Slab slab = bin.claim();
            if (slab == null) {
                break;
            }
            wanted -= take(bin, slab, magazine, wanted);
        }
        if (Magazine.isEmpty(magazine)) {
            take(bin, make(bin), magazine, wanted);
        }
    }

    /**
     * One block.
     *
     * @throws Refusal when there is no memory
     */
    long takeOne(int sizeClass) throws Refusal {
        Bin bin = bins[sizeClass];
        Slab slab = bin.claim();
        if (slab == null) {
            slab = make(bin);
        }
        long block = slab.takeOne();
        leave(bin, slab, 1);
        return block;
    }

    private int take(Bin bin, Slab slab, long[] magazine, int wanted) {
        int count = slab.take(magazine, wanted);
        leave(bin, slab, count);
        return count;
    }

    private void leave(Bin bin, Slab slab, int taken) {
        int before = slab.taken(taken);
        if (before == slab.blocks()) {
            idleBytes.addAndGet(-slab.bytes());
        }
        if (before > taken) {
            bin.offer(slab);
            endIfSurplus(bin, slab);
        }
    }

    // ---- back ---------------------------------------------------------------------------------

    /** Empties a magazine. */
    void drain(long[] magazine) {
        Slab slab = null;
        int count = 0;
        for (long block = Magazine.pop(magazine); block != 0; block = Magazine.pop(magazine)) {
            long address = block & ~Magazine.ZEROED;
            int index = slab == null ? -1 : slab.indexOf(address);
            if (index < 0) {
                given(slab, count);
                slab = at(address);
                index = slab.indexOf(address);
                count = 0;
            }
            slab.give(index);
            count++;
        }
        given(slab, count);
    }

    /** Takes a block back. */
    void give(long block) {
        long address = block & ~Magazine.ZEROED;
        Slab slab = at(address);
        slab.give(slab.indexOf(address));
        given(slab, 1);
    }

    private void given(@Nullable Slab slab, int count) {
        if (slab == null) {
            return;
        }
        Bin bin = bins[slab.sizeClass];
        int before = slab.given(count);
        if (before == 0) {
            bin.offer(slab);
        }
        if (before + count == slab.blocks()) {
            idleBytes.addAndGet(slab.bytes());
            endIfSurplus(bin, slab);
        }
    }

    // ---- slabs and ranges ---------------------------------------------------------------------

    /**
     * A slab whose token the caller has, counted as idle. What can fail comes before it is seen.
     */
    private Slab make(Bin bin) throws Refusal {
        int place = bin.reserve();
        Slab slab;
        try {
            slab = cutWithinBudget(bin.shape(), place);
        } catch (Refusal | RuntimeException | Error e) {
            bin.vacate(place);
            throw e;
        }
        bin.add(slab);
        table.put(slab);
        idleBytes.addAndGet(slab.bytes());
        capacity.change(slab.blockBytes());
        return slab;
    }

    /** One of fewer blocks where a limit leaves no more. */
    private Slab cutWithinBudget(SlabShape shape, int place) throws Refusal {
        try {
            return cut(shape, place);
        } catch (Refusal.OverBudget e) {
            SlabShape least = shape.least();
            if (least.granules() == shape.granules()) {
                throw e;
            }
            return cut(least, place);
        }
    }

    private Slab cut(SlabShape shape, int place) throws Refusal {
        byte[] states = new byte[shape.blocks()];
        int[] guardedBytes = guarded ? new int[shape.blocks()] : null;
        while (true) {
            for (Range range : ranges) {
                long address = range.take(shape.granules());
                if (address != 0) {
                    try {
                        source.prepare(address, shape.stride(), shape.blocks());
                        return new Slab(shape, range, address, states, guardedBytes, place);
                    } catch (Refusal | RuntimeException | Error e) {
                        range.give(address, shape.granules());
                        throw e;
                    }
                }
            }
            addRange((long) shape.granules() * Range.GRANULE_BYTES);
        }
    }

    private void addRange(long needed) throws Refusal {
        Chunk chunk = obtainRange(needed);
        try {
            if (!table.reserve(chunk)) {
                throw new Refusal.OutOfMemory(
                        ("memory at 0x%x lies too far from the rest: this process has too little"
                                        + " address space in one piece")
                                .formatted(chunk.address()));
            }
            Range range = new Range(chunk);
            while (true) {
                Range[] now = ranges;
                Range[] more = Arrays.copyOf(now, now.length + 1);
                more[now.length] = range;
                if (RANGES.compareAndSet(this, now, more)) {
                    return;
                }
            }
        } catch (Refusal | RuntimeException | Error e) {
            source.giveBack(chunk);
            throw e;
        }
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

    /**
     * Ends a slab where more are idle than may be. Also who offers a token looks here afterwards:
     * while it was held, the thread that freed the last block could not claim it.
     */
    private void endIfSurplus(Bin bin, Slab slab) {
        while (slab.isIdle() && idleBytes.get() > idleLimitBytes && bin.claim(slab)) {
            endOrOffer(slab.isIdle(), bin, slab);
        }
    }

    /** The caller has the token: ends the slab, or gives the token up. */
    private void endOrOffer(boolean end, Bin bin, Slab slab) {
        boolean ended = false;
        try {
            if (end) {
                end(bin, slab);
                ended = true;
            }
        } finally {
            if (!ended) {
                bin.offer(slab); // also when the source has failed
            }
        }
    }

    private void end(Bin bin, Slab slab) {
        if (!source.discard(slab.address(), slab.bytes())) {
            slab.range().noLongerZeroed();
        }
        idleBytes.addAndGet(-slab.bytes());
        capacity.change(-slab.blockBytes());
        table.remove(slab);
        bin.vacate(slab.place());
        slab.range().give(slab.address(), slab.granules());
    }

    // ---- trimming -----------------------------------------------------------------------------

    /** From now on idle memory is not kept. */
    void keepNothingIdle() {
        idleLimitBytes = 0;
    }

    /** Gives all memory to the system that holds free blocks alone. */
    void trim() {
        for (Bin bin : bins) {
            bin.visit(_ -> true, slab -> visit(slab.isIdle(), bin, slab));
        }
        releaseRanges();
    }

    /**
     * Gives memory to the system that has held free blocks alone since the last call, or longer.
     */
    void trimIdle() {
        for (Bin bin : bins) {
            bin.visit(Slab::isWorthVisiting, slab -> visit(slab.staysIdle(), bin, slab));
        }
        releaseRanges();
    }

    private void visit(boolean end, Bin bin, Slab slab) {
        try {
            if (!slab.isIdle()) {
                slab.discardFreePages(source);
            }
        } finally {
            endOrOffer(end, bin, slab);
        }
        endIfSurplus(bin, slab);
    }

    /** Gives ranges back that have no slabs. */
    void releaseRanges() {
        for (Range range : ranges) {
            if (range.retire()) {
                try {
                    remove(range);
                } catch (OutOfMemoryError e) {
                    range.revive(); // the Java heap is exhausted: another time
                    return;
                }
                source.giveBack(range.chunk());
            }
        }
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

    // ---- counting -----------------------------------------------------------------------------

    /** How many slabs of a class there are. */
    long count(int sizeClass) {
        return bins[sizeClass].count(_ -> 1);
    }

    /** How many blocks of a class there are. */
    long blocks(int sizeClass) {
        return bins[sizeClass].count(Slab::blocks);
    }

    /** How many of them are free and in no cache. */
    long freeBlocks(int sizeClass) {
        return bins[sizeClass].count(Slab::freeBlocks);
    }

    /** What has been taken from the source. */
    Tally ranges() {
        Range[] now = ranges;
        long bytes = Arrays.stream(now).mapToLong(range -> range.chunk().bytes()).sum();
        return new Tally(now.length, bytes);
    }
}
