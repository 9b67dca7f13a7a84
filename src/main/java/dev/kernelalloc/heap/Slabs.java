package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/**
 * The slabs of a heap: what its caches are filled from and emptied into. Nothing here waits for a
 * lock. What is busy is passed over, and where nothing else is left a new slab or range is made.
 *
 * <p>Every class has a bin for each <i>home</i>, and a thread's number tells its home. So two
 * threads seldom have blocks of one slab, whose states lie side by side: without homes they wrote
 * to the same cache lines with every allocate and free of raw blocks, and two threads had 0.6 to
 * 0.9 of their throughput. Memory comes before homes: where no range has room for another slab, or
 * ranges are small, a thread takes what others have before it has a slab made.
 */
final class Slabs {

    /** The smallest that is tried where a limit refuses a larger one. */
    private static final long MIN_RANGE_BYTES = 1L << 20;

    /** A refill goes to so many slabs at most. */
    private static final int REFILL_SLABS = 8;

    private static final int MAX_HOMES = 16;

    /**
     * Homes have slabs of their own where a range has room for so many. With 8 MiB that may be
     * locked, three homes of some forty classes would have it all, and hand out a tenth.
     */
    private static final int SLABS_OF_A_RANGE = 64;

    private static final VarHandle RANGES;
    private static final VarHandle BIN = MethodHandles.arrayElementVarHandle(Bin[].class);

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

    /** How the slabs of each class are cut. */
    private final SlabShape[] shapes = new SlabShape[SizeClasses.COUNT];

    private final int homes;

    /** One after the other of each class those of its homes, once they are used. */
    private final @Nullable Bin[] bins;

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
        this.homes = homes();
        this.bins = new Bin[SizeClasses.COUNT * homes];
        Arrays.setAll(shapes, sizeClass -> SlabShape.of(sizeClass, source));
    }

    /** So many that two threads at work seldom have the same. */
    private static int homes() {
        int wanted = Math.min(8 * Runtime.getRuntime().availableProcessors(), MAX_HOMES);
        return Integer.highestOneBit(2 * wanted - 1);
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
        Bin own = atHome(sizeClass);
        int wanted = Magazine.capacity(magazine);
        for (int i = 0; i < REFILL_SLABS && wanted > 0; i++) {
            Slab slab = own.claim();
            if (slab == null) {
                break;
            }
            wanted -= take(slab, magazine, wanted);
        }
        if (Magazine.isEmpty(magazine)) {
            take(claimElsewhereOrMake(own, sizeClass), magazine, wanted);
        }
    }

    /**
     * One block.
     *
     * @throws Refusal when there is no memory
     */
    long takeOne(int sizeClass) throws Refusal {
        Bin own = atHome(sizeClass);
        Slab slab = own.claim();
        if (slab == null) {
            slab = claimElsewhereOrMake(own, sizeClass);
        }
        long block = slab.takeOne();
        leave(slab, 1);
        return block;
    }

    private Bin atHome(int sizeClass) {
        int home = (int) Thread.currentThread().threadId() & homes - 1;
        Bin known = binAt(sizeClass, home);
        if (known != null) {
            return known;
        }
        Bin made = new Bin(shapes[sizeClass]);
        Bin other = (Bin) BIN.compareAndExchange(bins, place(sizeClass, home), null, made);
        return other == null ? made : other;
    }

    private @Nullable Bin binAt(int sizeClass, int home) {
        return (Bin) BIN.getAcquire(bins, place(sizeClass, home));
    }

    private int place(int sizeClass, int home) {
        return sizeClass * homes + home;
    }

    /** A slab with free blocks, whose token the caller has; what its home has left is no more. */
    private Slab claimElsewhereOrMake(Bin own, int sizeClass) throws Refusal {
        Slab slab = null;
        if (newestRangeBytes() >= SLABS_OF_A_RANGE * own.shape().bytes()) {
            try {
                slab = makeInRanges(own, own.shape());
            } catch (Refusal _) {
                // What others have needs nothing of the source.
            }
        }
        for (int home = 0; home < homes && slab == null; home++) {
            Bin other = binAt(sizeClass, home);
            slab = other == null ? null : other.claim();
        }
        return slab != null ? slab : make(own);
    }

    private long newestRangeBytes() {
        Range[] now = ranges;
        return now.length == 0 ? 0 : now[now.length - 1].chunk().bytes();
    }

    private int take(Slab slab, long[] magazine, int wanted) {
        int count = slab.take(magazine, wanted);
        leave(slab, count);
        return count;
    }

    private void leave(Slab slab, int taken) {
        int before = slab.taken(taken);
        if (before == slab.blocks()) {
            idleBytes.addAndGet(-slab.bytes());
        }
        if (before > taken) {
            slab.bin().offer(slab);
            endIfSurplus(slab);
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
        int before = slab.given(count);
        if (before == 0) {
            slab.bin().offer(slab);
        }
        if (before + count == slab.blocks()) {
            idleBytes.addAndGet(slab.bytes());
            endIfSurplus(slab);
        }
    }

    // ---- slabs and ranges ---------------------------------------------------------------------

    /**
     * A slab whose token the caller has, in a new range if need be; of fewer blocks where no more
     * is to be had: of a budget, of what may be locked, of memory.
     */
    private Slab make(Bin bin) throws Refusal {
        try {
            return make(bin, bin.shape());
        } catch (Refusal e) {
            SlabShape least = bin.shape().least();
            if (least.granules() == bin.shape().granules()) {
                throw e;
            }
            return make(bin, least);
        }
    }

    private Slab make(Bin bin, SlabShape shape) throws Refusal {
        Slab slab = makeInRanges(bin, shape);
        while (slab == null) {
            addRange((long) shape.granules() * Range.GRANULE_BYTES);
            slab = makeInRanges(bin, shape);
        }
        return slab;
    }

    /**
     * A slab whose token the caller has, counted as idle; none where no range has room. What can
     * fail comes before it is seen.
     */
    private @Nullable Slab makeInRanges(Bin bin, SlabShape shape) throws Refusal {
        int place = bin.reserve();
        Slab slab = null;
        try {
            slab = cut(bin, shape, place);
        } finally {
            if (slab == null) {
                bin.vacate(place);
            }
        }
        if (slab != null) {
            bin.add(slab);
            table.put(slab);
            idleBytes.addAndGet(slab.bytes());
            capacity.change(slab.blockBytes());
        }
        return slab;
    }

    private @Nullable Slab cut(Bin bin, SlabShape shape, int place) throws Refusal {
        for (Range range : ranges) {
            long address = range.take(shape.granules());
            if (address != 0) {
                try {
                    byte[] states = new byte[shape.blocks()];
                    int[] guardedBytes = guarded ? new int[shape.blocks()] : null;
                    source.prepare(address, shape.stride(), shape.blocks());
                    return new Slab(bin, place, shape, range, address, states, guardedBytes);
                } catch (Refusal | RuntimeException | Error e) {
                    range.give(address, shape.granules());
                    throw e;
                }
            }
        }
        return null;
    }

    private void addRange(long needed) throws Refusal {
        Chunk chunk = obtainRange(needed);
        try {
            if (!table.reserve(chunk)) {
                throw new Refusal.OutOfMemory(
                        String.format(
                                Locale.ROOT,
                                "memory at 0x%x lies too far from the rest: this process has too"
                                        + " little address space in one piece",
                                chunk.address()));
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
    private void endIfSurplus(Slab slab) {
        while (slab.isIdle() && idleBytes.get() > idleLimitBytes && slab.bin().claim(slab)) {
            endOrOffer(slab.isIdle(), slab);
        }
    }

    /** The caller has the token: ends the slab, or gives the token up. */
    private void endOrOffer(boolean end, Slab slab) {
        boolean ended = false;
        try {
            if (end) {
                end(slab);
                ended = true;
            }
        } finally {
            if (!ended) {
                slab.bin().offer(slab); // also when the source has failed
            }
        }
    }

    private void end(Slab slab) {
        if (!source.discard(slab.address(), slab.bytes())) {
            slab.range().noLongerZeroed();
        }
        idleBytes.addAndGet(-slab.bytes());
        capacity.change(-slab.blockBytes());
        table.remove(slab);
        slab.bin().vacate(slab.place());
        slab.range().give(slab.address(), slab.granules());
    }

    // ---- trimming -----------------------------------------------------------------------------

    /** From now on idle memory is not kept. */
    void keepNothingIdle() {
        idleLimitBytes = 0;
    }

    /** Gives all memory to the system that holds free blocks alone. */
    void trim() {
        endIdle();
        releaseRanges();
    }

    /** Ends all slabs that hold free blocks alone; their ranges stay until they are released. */
    void endIdle() {
        visit(_ -> true, Slab::isIdle);
    }

    /**
     * Gives memory to the system that has held free blocks alone since the last call, or longer.
     */
    void trimIdle() {
        visit(Slab::isWorthVisiting, Slab::staysIdle);
        releaseRanges();
    }

    private void visit(Predicate<Slab> worth, Predicate<Slab> surplus) {
        Consumer<Slab> visitor = slab -> visit(surplus.test(slab), slab);
        for (int i = 0; i < bins.length; i++) {
            Bin bin = (Bin) BIN.getAcquire(bins, i);
            if (bin != null) {
                bin.visit(worth, visitor);
            }
        }
    }

    private void visit(boolean end, Slab slab) {
        try {
            if (!slab.isIdle()) {
                slab.discardFreePages(source);
            }
        } finally {
            endOrOffer(end, slab);
        }
        endIfSurplus(slab);
    }

    /**
     * Gives ranges back that have no slabs.
     *
     * @return whether there was one
     */
    boolean releaseRanges() {
        boolean released = false;
        for (Range range : ranges) {
            if (range.retire()) {
                try {
                    remove(range);
                } catch (OutOfMemoryError e) {
                    range.revive(); // the Java heap is exhausted: another time
                    return released;
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

    // ---- counting -----------------------------------------------------------------------------

    /** How many slabs of a class there are. */
    long count(int sizeClass) {
        return sum(sizeClass, _ -> 1);
    }

    /** How many blocks of a class there are. */
    long blocks(int sizeClass) {
        return sum(sizeClass, Slab::blocks);
    }

    /** How many of them are free and in no cache. */
    long freeBlocks(int sizeClass) {
        return sum(sizeClass, Slab::freeBlocks);
    }

    private long sum(int sizeClass, ToIntFunction<Slab> what) {
        long sum = 0;
        for (int home = 0; home < homes; home++) {
            Bin bin = binAt(sizeClass, home);
            sum += bin == null ? 0 : bin.count(what);
        }
        return sum;
    }

    /** What has been taken from the source. */
    Tally ranges() {
        Range[] now = ranges;
        long bytes = Arrays.stream(now).mapToLong(range -> range.chunk().bytes()).sum();
        return new Tally(now.length, bytes);
    }
}
