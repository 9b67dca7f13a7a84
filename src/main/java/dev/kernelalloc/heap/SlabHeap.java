package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The engine: blocks of size classes, cut from slabs, handed out through caches.
 *
 * <pre>
 *   thread ──► loaded magazine ──► spare magazine ──► depot ──► slabs ──► ranges ──► source
 *              (its own, no atomic operation)         (one atomic exchange each)
 * </pre>
 *
 * <p><b>Who may touch a block.</b> At every moment one of these has it, and only that one may
 * change its state: a slab (free), a magazine and through it a thread or the depot, the quarantine,
 * or the user. A block moves from one to the next by a store of its owner, or with its magazine by
 * an atomic exchange.
 *
 * <p><b>What is known of a block.</b> A state, outside of it: free in its slab, out, or raw. Raw
 * blocks are found by their address alone, so {@link #free} can refuse every other address. A box
 * or an arena knows what it owns: its blocks are merely out, and cost no look at their slab.
 *
 * <p><b>Waiting.</b> Nothing on the way of allocate and free waits: a stripe, token or range that
 * is busy is passed over, and at the end of every way stands the source. Whoever is descheduled,
 * parked or pinned, the others go on.
 *
 * <p><b>Closing.</b> A slab is given back when all its blocks are free in it. Blocks in the cache
 * of another live thread are not, and so stay mapped until that thread calls again or dies.
 */
public final class SlabHeap implements Blocks, Trimmed, Budget.Holder {

    /**
     * So few virtual threads meet at one that it costs nothing: with 2 on two processors they took
     * one and a half times as long.
     */
    private static final int STRIPES_PER_PROCESSOR = 8;

    private static final VarHandle WATCHED;

    static {
        try {
            WATCHED =
                    MethodHandles.lookup().findVarHandle(SlabHeap.class, "watched", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final HeapSettings settings;
    private final CacheBudget budget;
    private final HeapListener listener;
    private final ToldChunks source;
    private final Slabs slabs;
    private final SlabTable table;
    private final LargeBlocks large;
    private final HighWater capacity;
    private final ThreadCaches caches;
    private final Depot[] depots = new Depot[MagazineShape.CLASSES];
    private final boolean shuffled;
    private volatile boolean closed;
    private volatile boolean watched;

    /** Held while {@link #trimIdle} moves blocks: who counts them does not see half a move. */
    private final Object idleTrimming = new Object();

    /** What {@link #trimIdle} saw of each stripe. */
    private final int[] stripeExchanges;

    /** A heap of no blocks yet. */
    public SlabHeap(HeapSettings settings, ChunkSource source) {
        this(settings, source, HeapListener.NONE);
    }

    /** A heap of no blocks yet, which tells what happens. */
    public SlabHeap(HeapSettings settings, ChunkSource source, HeapListener listener) {
        this(settings, source, new HighWater(), listener);
    }

    /** The same, beside other blocks that are counted with its own. */
    public SlabHeap(
            HeapSettings settings, ChunkSource source, HighWater capacity, HeapListener listener) {
        this(settings, source, capacity, listener, false, false);
    }

    /**
     * A heap of no blocks yet, which tells what happens.
     *
     * @param capacity how many bytes its blocks have at most
     * @param hardened whether it serves a hardened one: slabs note what was asked for
     * @param shuffled whether the blocks of a magazine are handed out in random order
     */
    SlabHeap(
            HeapSettings settings,
            ChunkSource source,
            HighWater capacity,
            HeapListener listener,
            boolean hardened,
            boolean shuffled) {
        Rehearsal.ofServing();
        this.settings = settings;
        this.listener = listener;
        this.source = new ToldChunks(source, listener);
        this.shuffled = shuffled;
        this.budget = new CacheBudget(settings.cacheBytes());
        this.capacity = capacity;
        this.slabs = new Slabs(this.source, settings.cacheBytes(), capacity, hardened);
        this.table = slabs.table();
        this.large = new LargeBlocks(this.source, budget, capacity, listener);
        this.caches =
                new ThreadCaches(
                        Runtime.getRuntime().availableProcessors() * STRIPES_PER_PROCESSOR);
        this.stripeExchanges = new int[caches.stripes().length];
        for (int i = 0; i < depots.length; i++) {
            depots[i] = new Depot(i, budget);
        }
    }

    // ---- raw blocks ---------------------------------------------------------------------------

    @Override
    public long allocate(long bytes, long alignment, boolean zeroed) throws Refusal {
        return zeroed ? allocateZeroed(bytes, alignment) : allocate(bytes, alignment);
    }

    /** A raw block of undefined contents. */
    public long allocate(long bytes, long alignment) throws Refusal {
        int sizeClass = SizeClasses.of(bytes, alignment);
        long block = caches.pop(sizeClass);
        if (block == 0) {
            return allocateSlowly(sizeClass, bytes, alignment, false);
        }
        long address = block & ~Magazine.ZEROED;
        mark(address);
        return address;
    }

    /** A raw block of zeros. */
    public long allocateZeroed(long bytes, long alignment) throws Refusal {
        int sizeClass = SizeClasses.of(bytes, alignment);
        long block = caches.pop(sizeClass);
        if (block == 0) {
            return allocateSlowly(sizeClass, bytes, alignment, true);
        }
        long address = block & ~Magazine.ZEROED;
        if (address == block) {
            zero(sizeClass, address, bytes, true);
        }
        mark(address);
        return address;
    }

    /** Makes a block raw that lies in a slab. */
    private void mark(long address) {
        Slab slab = table.get(address);
        int index = slab == null ? -1 : slab.indexOf(address);
        if (index >= 0) {
            slab.states[index] = Slab.RAW;
        } else {
            markSlowly(address);
        }
    }

    @Override
    public void free(long address) {
        Slab slab = table.get(address);
        int index = slab == null ? -1 : slab.indexOf(address);
        if (index >= 0 && slab.states[index] == Slab.RAW) {
            slab.states[index] = Slab.OUT;
            if (!caches.push(slab.sizeClass, address)) {
                giveRawSlowly(slab, index, address);
            }
        } else {
            freeSlowly(address);
        }
    }

    private long allocateSlowly(int sizeClass, long bytes, long alignment, boolean zeroed)
            throws Refusal {
        long block = takeSlowly(sizeClass, bytes, alignment, true);
        long address = block & ~Magazine.ZEROED;
        if (zeroed && address == block) {
            zero(sizeClass, address, bytes, true);
        }
        if (sizeClass != SizeClasses.NONE) {
            markSlowly(address);
        } // else a large block, which knows by itself
        return address;
    }

    private void markSlowly(long address) {
        Slab slab = table.find(address);
        slab.states[slab.indexOf(address)] = Slab.RAW;
    }

    private void freeSlowly(long address) {
        StackReserve.require();
        Slab slab = table.find(address);
        int index = slab == null ? -1 : slab.indexOf(address);
        if (index >= 0 && slab.states[index] == Slab.RAW) {
            slab.states[index] = Slab.OUT;
            giveRawSlowly(slab, index, address);
        } else if (large.free(address, true)) {
            watchWhatIsKept();
        } else {
            throw notALiveBlock(address);
        }
    }

    private void giveRawSlowly(Slab slab, int index, long address) {
        try {
            StackReserve.require();
        } catch (StackOverflowError e) {
            slab.states[index] = Slab.RAW; // nothing has happened: it may be freed again
            throw e;
        }
        giveSlowly(slab.sizeClass, address);
    }

    @Override
    public long usableBytes(long address) {
        Slab slab = slabs.at(address);
        int index = slab == null ? -1 : slab.indexOf(address);
        if (index >= 0 && slab.states[index] == Slab.RAW) {
            return SizeClasses.bytes(slab.sizeClass);
        }
        long bytes = large.capacityAt(address, true);
        if (bytes < 0) {
            throw notALiveBlock(address);
        }
        return bytes;
    }

    /** In place where the class stays the same, or a large block fits and is not much too large. */
    @Override
    public long resize(long address, long bytes, long alignment) {
        requireOpen();
        long usable = usableBytes(address);
        boolean aligned = (address & alignment - 1) == 0;
        int sizeClass = SizeClasses.of(bytes, alignment);
        boolean fits =
                sizeClass == SizeClasses.NONE
                        ? bytes <= usable && bytes >= usable - usable / 8
                        : SizeClasses.bytes(sizeClass) == usable;
        return aligned && fits ? address : 0;
    }

    // ---- blocks of boxes and arenas -----------------------------------------------------------

    @Override
    public long allocateOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        return zeroed ? allocateOwnedZeroed(bytes, alignment) : allocateOwned(bytes, alignment);
    }

    /** An owned block of undefined contents. */
    public long allocateOwned(long bytes, long alignment) throws Refusal {
        int sizeClass = SizeClasses.of(bytes, alignment);
        long block = caches.pop(sizeClass);
        if (block == 0) {
            block = takeSlowly(sizeClass, bytes, alignment, false);
        }
        return block & ~Magazine.ZEROED;
    }

    /** An owned block of zeros. */
    public long allocateOwnedZeroed(long bytes, long alignment) throws Refusal {
        int sizeClass = SizeClasses.of(bytes, alignment);
        long block = caches.pop(sizeClass);
        if (block == 0) {
            block = takeSlowly(sizeClass, bytes, alignment, false);
        }
        long address = block & ~Magazine.ZEROED;
        if (address == block) {
            zero(sizeClass, address, bytes, false);
        }
        return address;
    }

    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        int sizeClass = SizeClasses.of(bytes, alignment);
        if (!caches.push(sizeClass, address)) {
            giveSlowly(sizeClass, address);
        }
    }

    @Override
    public long takeOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        return takeSlowly(SizeClasses.of(bytes, alignment), bytes, alignment, false);
    }

    @Override
    public ThreadCaches caches() {
        return caches;
    }

    @Override
    public void makeOwned(long address) {
        Slab slab = slabs.at(address);
        int index = slab == null ? -1 : slab.indexOf(address);
        if (index >= 0 && slab.states[index] == Slab.RAW) {
            slab.states[index] = Slab.OUT;
        } else if (!large.change(address, true)) {
            throw notALiveBlock(address);
        }
    }

    @Override
    public void makeRaw(long address) {
        Slab slab = slabs.at(address);
        int index = slab == null ? -1 : slab.indexOf(address);
        if (index >= 0) {
            slab.states[index] = Slab.RAW;
        } else if (!large.change(address, false)) {
            throw notALiveBlock(address);
        }
    }

    @Override
    public long usableOwned(long address, long bytes, long alignment) {
        int sizeClass = SizeClasses.of(bytes, alignment);
        return sizeClass == SizeClasses.NONE
                ? large.capacityAt(address, false)
                : SizeClasses.bytes(sizeClass);
    }

    /** A block that is aligned to more than any slab is a chunk of its own. */
    @Override
    public long growableAlignment(long alignment) {
        return large.resizes() && alignment <= SystemHeap.MALLOC_ALIGNMENT_BYTES
                ? 2L * SizeClasses.MAX_ALIGNMENT_BYTES
                : 0;
    }

    /** Its owner ends with an error, and so does the block. */
    @Override
    public long growOwned(long address, long bytes, long alignment) throws Refusal {
        StackReserve.require();
        requireOpen();
        LargeBlocks.Large block = large.at(address, false);
        try {
            return grow(block, address, bytes);
        } catch (Error e) {
            large.end(block);
            throw e;
        }
    }

    private long grow(LargeBlocks.Large block, long address, long bytes) throws Refusal {
        try {
            return large.enlarge(address, bytes);
        } catch (Refusal e) {
            reclaimFor(e);
            releaseRanges();
        }
        ChunkSource.Relief relief = source.relief();
        while (true) {
            try {
                return large.enlarge(address, bytes);
            } catch (Refusal e) {
                if (!relief.relieve(e)) {
                    throw e;
                }
            }
            if (large.at(address, false) != block) {
                throw new IllegalStateException(
                        String.format(
                                Locale.ROOT,
                                "the block at 0x%x was freed by a listener while it was to grow",
                                address));
            }
        }
    }

    // ---- the slow path ------------------------------------------------------------------------

    private long takeSlowly(int sizeClass, long bytes, long alignment, boolean raw) throws Refusal {
        if (Thread.currentThread().isVirtual() && !closed) {
            long block = popFromStripe(sizeClass);
            if (block != 0) {
                return block;
            }
        }
        StackReserve.require();
        requireOpen();
        long block;
        try {
            block = takeOrReclaim(sizeClass, bytes, alignment, raw);
        } catch (OutOfMemoryError e) {
            throw javaHeapExhausted();
        }
        watchWhatIsKept(); // the source may have been so slow that this heap was found empty
        VarHandle.fullFence(); // either the closer sees the block taken, or it is seen here
        if (closed) {
            giveBackTo(sizeClass, block, raw);
            requireOpen();
        }
        return block;
    }

    private long takeOrReclaim(int sizeClass, long bytes, long alignment, boolean raw)
            throws Refusal {
        try {
            return takeInside(sizeClass, bytes, alignment, raw);
        } catch (Refusal e) {
            reclaimFor(e);
        }
        ChunkSource.Relief relief = source.relief();
        boolean released = false;
        while (true) {
            try {
                return takeInside(sizeClass, bytes, alignment, raw);
            } catch (Refusal e) {
                boolean again = !released && releaseRanges();
                released = true;
                if (!again && !relief.relieve(e)) {
                    throw e;
                }
            }
        }
    }

    /** Gives back ranges without slabs, whose size has not served; whether there was one. */
    private boolean releaseRanges() {
        boolean entered = source.enter();
        try {
            return slabs.releaseRanges();
        } finally {
            source.leave(entered, true);
        }
    }

    /**
     * Makes room for a request that was refused, where that can serve it: first in the ranges that
     * there are. To give one back and take another costs a dozen of system calls.
     */
    private void reclaimFor(Refusal refusal) throws Refusal {
        if (source.isFinal(refusal)) {
            throw refusal;
        }
        Rehearsal.ofTrimming();
        boolean entered = source.enter();
        try {
            reclaimIntoRanges();
        } finally {
            source.leave(entered, true);
        }
    }

    private long takeInside(int sizeClass, long bytes, long alignment, boolean raw) throws Refusal {
        boolean entered = source.enter();
        boolean refused = true;
        try {
            long block = take(sizeClass, bytes, alignment, raw);
            refused = false;
            return block;
        } finally {
            source.leave(entered, !refused);
        }
    }

    private void giveBackTo(int sizeClass, long block, boolean raw) {
        if (sizeClass == SizeClasses.NONE) {
            large.free(block & ~Magazine.ZEROED, raw);
        } else {
            slabs.give(block);
        }
    }

    private long take(int sizeClass, long bytes, long alignment, boolean raw) throws Refusal {
        if (!watched && WATCHED.compareAndSet(this, false, true)) {
            watch();
        } else {
            Trimmer.ensureRunning();
        }
        if (sizeClass == SizeClasses.NONE) {
            Rehearsal.ofLargeBlocks();
            return large.allocate(bytes, alignment, raw);
        }
        if (sizeClass >= MagazineShape.CLASSES) {
            return slabs.takeOne(sizeClass);
        }
        boolean virtual = Thread.currentThread().isVirtual();
        long block = virtual ? popFromStripe(sizeClass) : popFromOwn(sizeClass);
        if (block != 0) {
            return block;
        }
        if (!mayLoad(virtual, sizeClass)) {
            return slabs.takeOne(sizeClass);
        }
        long[] magazine = depots[sizeClass].takeFull();
        boolean fromDepot = magazine != null;
        if (!fromDepot) {
            magazine = emptyMagazine(sizeClass);
            slabs.fill(sizeClass, magazine);
            if (shuffled) {
                Shuffle.blocks(magazine);
            }
        }
        int blocks = Magazine.size(magazine);
        block = Magazine.pop(magazine);
        load(virtual, sizeClass, magazine);
        tellRefilled(sizeClass, blocks, fromDepot);
        return block;
    }

    private void tellRefilled(int sizeClass, int blocks, boolean fromDepot) {
        try {
            listener.refilled(SizeClasses.bytes(sizeClass), blocks, fromDepot);
        } catch (Throwable _) {
            // a block is in the caller's hands
        }
    }

    private void giveSlowly(int sizeClass, long address) {
        if (Thread.currentThread().isVirtual() && !closed && pushToStripe(sizeClass, address)) {
            return;
        }
        StackReserve.require();
        boolean entered = source.enter();
        try {
            giveInside(sizeClass, address);
        } finally {
            source.leave(entered, true);
        }
        if (OutstandingChunks.UNLOADABLE) {
            watchWhatIsKept(); // the trim thread may have ended since the last block was taken
        }
    }

    private void giveInside(int sizeClass, long address) {
        if (sizeClass == SizeClasses.NONE) {
            large.free(address, false);
            watchWhatIsKept();
        } else if (closed) {
            giveToClosed(address);
        } else if (sizeClass >= MagazineShape.CLASSES || !giveToCache(sizeClass, address)) {
            slabs.give(address);
        }
    }

    /** Whether a cache has taken the block; not where the Java heap has no room for a magazine. */
    private boolean giveToCache(int sizeClass, long address) {
        boolean virtual = Thread.currentThread().isVirtual();
        long[] magazine;
        try {
            if (virtual ? pushToStripe(sizeClass, address) : pushToOwn(sizeClass, address)) {
                return true;
            }
            if (!mayLoad(virtual, sizeClass)) {
                return false;
            }
            magazine = emptyMagazine(sizeClass);
        } catch (OutOfMemoryError e) {
            return false;
        }
        Magazine.push(magazine, address);
        load(virtual, sizeClass, magazine);
        return true;
    }

    /** What the calling thread still has goes with it. */
    private void giveToClosed(long address) {
        slabs.give(address);
        ThreadCache own = Thread.currentThread().isVirtual() ? null : caches.ownIfAny();
        if (own != null) {
            empty(own);
        }
        slabs.releaseRanges();
        if (!watched && !isEmpty() && WATCHED.compareAndSet(this, false, true)) {
            Trimmer.watchClosed(
                    this); // of two that free at once each may have left it to the other
        }
    }

    private long popFromOwn(int sizeClass) {
        return own().pop(sizeClass);
    }

    private boolean pushToOwn(int sizeClass, long address) {
        return own().push(sizeClass, address);
    }

    private long popFromStripe(int sizeClass) {
        ThreadCache stripe = caches.takeStripe();
        if (stripe == null) {
            return 0;
        }
        long block = stripe.pop(sizeClass);
        stripe.give();
        return block;
    }

    private boolean pushToStripe(int sizeClass, long address) {
        ThreadCache stripe = caches.takeStripe();
        if (stripe == null) {
            return false;
        }
        boolean pushed = stripe.push(sizeClass, address);
        stripe.give();
        return pushed;
    }

    /** The calling platform thread's cache, where the fast path finds it from now on. */
    private ThreadCache own() {
        ThreadCache[] table = caches.table();
        int dispersals = caches.dispersals();
        ThreadCache cache = caches.own();
        if (cache.dispersals != dispersals) {
            cache.dispersals = dispersals;
            empty(cache);
        }
        if (!closed) {
            caches.enter(table, cache, Thread.currentThread().threadId());
        }
        return cache;
    }

    private long[] emptyMagazine(int sizeClass) {
        long[] magazine = depots[sizeClass].takeEmpty();
        return magazine != null ? magazine : Magazine.make(MagazineShape.blocks(sizeClass));
    }

    /**
     * Whether a magazine of a class has a chance to be kept: filling one to empty it again is the
     * dearest of all ways. Certain for a platform thread, whose cache has room for it then.
     */
    private boolean mayLoad(boolean virtual, int sizeClass) {
        if (virtual) {
            return budget.hasLeft(ThreadCache.reservedFor(sizeClass));
        }
        ThreadCache own = caches.ownIfAny();
        return own != null && (own.isReserved(sizeClass) || reserve(own, sizeClass));
    }

    /** Loads a magazine into the cache of the calling thread, or into a stripe. */
    private void load(boolean virtual, int sizeClass, long[] magazine) {
        long[] out = magazine;
        if (virtual) {
            ThreadCache stripe = caches.takeStripe();
            if (stripe != null) {
                if (stripe.isReserved(sizeClass) || reserveIn(stripe, sizeClass)) {
                    out = stripe.insert(sizeClass, magazine);
                }
                stripe.give();
            }
        } else {
            out = caches.ownIfAny().insert(sizeClass, magazine);
        }
        putAside(sizeClass, out);
    }

    /** Where a thread uses many classes, the magazines of those go that it can best spare. */
    private boolean reserve(ThreadCache own, int sizeClass) {
        if (ThreadCache.reservedFor(sizeClass) > settings.threadCacheBytes()) {
            return false;
        }
        while (!reserveIn(own, sizeClass)) {
            int dispensable = own.mostDispensable(sizeClass);
            if (dispensable < 0) {
                return false;
            }
            empty(own, dispensable);
        }
        return true;
    }

    private boolean reserveIn(ThreadCache cache, int sizeClass) {
        long needed = ThreadCache.reservedFor(sizeClass);
        if (cache.reservedBytes() + needed > settings.threadCacheBytes() || !budget.take(needed)) {
            return false;
        }
        cache.reserve(sizeClass);
        return true;
    }

    /**
     * A full magazine that no cache has goes to the depot; the blocks of another to their slabs.
     */
    private void putAside(int sizeClass, long[] magazine) {
        Depot depot = depots[sizeClass];
        if (!Magazine.isEmpty(magazine) && Magazine.isFull(magazine) && depot.putFull(magazine)) {
            if (closed) {
                emptyDepots(); // closed meanwhile: nobody else would
            }
            return;
        }
        slabs.drain(magazine);
        if (magazine != Magazine.NONE) {
            depot.putEmpty(magazine);
        }
    }

    // ---- giving up what no block uses ---------------------------------------------------------

    /** Empties a cache: its owner calls, or who has taken it. */
    private void empty(ThreadCache cache) {
        for (int i = 0; i < MagazineShape.CLASSES; i++) {
            empty(cache, i);
        }
    }

    private void empty(ThreadCache cache, int sizeClass) {
        if (cache.isReserved(sizeClass)) {
            long[] spare = cache.insert(sizeClass, Magazine.NONE);
            long[] loaded = cache.insert(sizeClass, Magazine.NONE);
            unreserve(cache, sizeClass);
            slabs.drain(spare);
            slabs.drain(loaded);
        }
    }

    private void unreserve(ThreadCache cache, int sizeClass) {
        cache.unreserve(sizeClass);
        budget.give(ThreadCache.reservedFor(sizeClass));
    }

    /** A stripe is taken only for the moment in which its magazines are exchanged for none. */
    private void emptyStripe(ThreadCache stripe) {
        for (int i = 0; i < MagazineShape.CLASSES; i++) {
            if (stripe.isReserved(i) && stripe.take()) {
                long[] spare = stripe.insert(i, Magazine.NONE);
                long[] loaded = stripe.insert(i, Magazine.NONE);
                if (stripe.isReserved(i)) {
                    unreserve(stripe, i);
                }
                stripe.give();
                slabs.drain(spare);
                slabs.drain(loaded);
            }
        }
    }

    private void emptyDeadCaches() {
        for (ThreadCache cache : caches.all()) {
            if (cache.takeIfDead()) {
                try {
                    empty(cache);
                } finally {
                    cache.give();
                }
            }
        }
    }

    private void emptyDepots() {
        for (Depot depot : depots) {
            for (long[] full = depot.takeFull(); full != null; full = depot.takeFull()) {
                slabs.drain(full);
            }
        }
    }

    /** Everything that the calling thread may touch. */
    private void reclaim() {
        reclaimIntoRanges();
        slabs.releaseRanges();
    }

    private void reclaimIntoRanges() {
        ThreadCache own = Thread.currentThread().isVirtual() ? null : caches.ownIfAny();
        if (own != null) {
            empty(own);
        }
        emptyDeadCaches();
        for (ThreadCache stripe : caches.stripes()) {
            emptyStripe(stripe);
        }
        emptyDepots();
        large.trim();
        slabs.endIdle();
    }

    @Override
    public void trim() {
        StackReserve.require();
        Rehearsal.ofTrimming();
        long began = System.nanoTime();
        long returnedBefore = source.returnedBytes();
        caches.disperse();
        synchronized (idleTrimming) { // what the trim thread holds in its hands is not passed over
            reclaim();
        }
        tellTrimmed(source.returnedBytes() - returnedBefore, System.nanoTime() - began);
    }

    private void tellTrimmed(long bytes, long nanos) {
        try {
            listener.trimmed(bytes, nanos);
        } catch (Throwable _) {
            // all is done
        }
    }

    /** As {@link #trim}, for the sake of another heap: without waiting for the trim thread. */
    @Override
    public void giveUpIdle() {
        StackReserve.require();
        Rehearsal.ofTrimming();
        caches.disperse();
        reclaim();
    }

    @Override
    public Counters estimate() {
        return count();
    }

    @Override
    public boolean trimIdle() {
        Rehearsal.ofTrimming();
        boolean entered = source.enter();
        try {
            synchronized (idleTrimming) {
                returnIdle();
            }
        } finally {
            source.leave(entered, true);
        }
        if (!isEmpty() && !hasLiveBlocksAlone()) {
            return true;
        }
        watched = false; // before the second look: who makes a slab after it asks to be watched
        return !isEmpty() && !hasLiveBlocksAlone() && WATCHED.compareAndSet(this, false, true);
    }

    /** Whether the trim thread visits it: not while it has nothing that can be given back. */
    boolean isWatched() {
        return watched;
    }

    /** What was taken, or is kept since its block ended, goes back when it has been idle. */
    private void watchWhatIsKept() {
        try {
            if (!watched && !isEmpty() && WATCHED.compareAndSet(this, false, true)) {
                watch();
            } else if (OutstandingChunks.UNLOADABLE) {
                Trimmer.ensureRunning();
            }
        } catch (Error e) {
            // The Java heap or stack is exhausted. What was asked for is done, and must not be lost
            // for that: the next slow call asks again.
        }
    }

    private void watch() {
        try {
            Trimmer.watch(this);
        } catch (Throwable e) {
            watched = false; // the Java heap is exhausted: the next one asks
            throw e;
        }
    }

    private void returnIdle() {
        emptyDeadCaches();
        ThreadCache[] stripes = caches.stripes();
        for (int i = 0; i < stripes.length; i++) {
            int exchanges = stripes[i].exchanges();
            if (exchanges == stripeExchanges[i]) {
                emptyStripe(stripes[i]);
            }
            stripeExchanges[i] = stripes[i].exchanges();
        }
        for (Depot depot : depots) {
            for (long[] full = depot.takeSurplus(); full != null; full = depot.takeSurplus()) {
                slabs.drain(full);
            }
            depot.countAgain();
        }
        large.trimIdle();
        if (closed) {
            emptyDepots();
            slabs.trim();
        } else {
            slabs.trimIdle();
        }
    }

    /** Of a closed heap that is nothing to wait for: freeing them gives their memory back. */
    private boolean hasLiveBlocksAlone() {
        if (!closed) {
            return false;
        }
        Counters now = count();
        return now.liveBlocks() > 0 && now.cached().blocks() == 0 && now.depot().blocks() == 0;
    }

    private boolean isEmpty() {
        return slabs.isEmpty() && !large.keepsAny();
    }

    // ---- the whole ----------------------------------------------------------------------------

    @Override
    public void close() {
        Rehearsal.ofTrimming();
        synchronized (this) {
            requireOpen();
            closed = true;
        }
        slabs.keepNothingIdle();
        large.keepNothing();
        trim();
        if (!isEmpty()) {
            Trimmer.watchClosed(this);
        }
    }

    @Override
    public void reclaimUnreachable() {
        if (!closed) {
            close();
        }
        synchronized (idleTrimming) {
            for (ThreadCache cache : caches.all()) {
                if (cache.takeFromAnybody()) {
                    empty(cache);
                    cache.give();
                }
            }
            reclaim();
        }
    }

    @Override
    public boolean isClosed() {
        return closed;
    }

    @Override
    public Counters counters() {
        synchronized (idleTrimming) { // of all who use the heap only the trim thread waits for it
            return count();
        }
    }

    @Override
    public long peakBytes() {
        return capacity.mostBytes();
    }

    private Counters count() {
        List<Counters.OfClass> classes = new ArrayList<>();
        for (int i = 0; i < SizeClasses.COUNT; i++) {
            long blocks = slabs.blocks(i);
            if (blocks > 0) {
                classes.add(count(i, blocks));
            }
        }
        return new Counters(
                classes,
                new Counters.Large(large.live(), large.idle(), Tally.NONE),
                slabs.ranges().plus(large.live()).plus(large.idle()));
    }

    private Counters.OfClass count(int sizeClass, long blocks) {
        long free = slabs.freeBlocks(sizeClass);
        long cached = cachedBlocks(sizeClass);
        long inDepot = sizeClass < depots.length ? depots[sizeClass].blocks() : 0;
        return new Counters.OfClass(
                SizeClasses.bytes(sizeClass),
                slabs.count(sizeClass),
                Math.max(0, blocks - free - cached - inDepot), // less where blocks move meanwhile
                cached,
                inDepot,
                free,
                0);
    }

    private long cachedBlocks(int sizeClass) {
        long blocks = 0;
        for (ThreadCache cache : caches.all()) {
            blocks += cache.blocks(sizeClass);
        }
        for (ThreadCache stripe : caches.stripes()) {
            blocks += stripe.blocks(sizeClass);
        }
        return blocks;
    }

    // ---- for the hardened heap ----------------------------------------------------------------

    /** The slab of an address, or another, or null. */
    @Nullable Slab slabAt(long address) {
        return slabs.at(address);
    }

    /** Takes an owned block back that lies in a slab. */
    void freeOwned(Slab slab, long address) {
        if (!caches.push(slab.sizeClass, address)) {
            giveSlowly(slab.sizeClass, address);
        }
    }

    /** The blocks that lie in no slab. */
    LargeBlocks large() {
        return large;
    }

    // ---- small things -------------------------------------------------------------------------

    private void zero(int sizeClass, long address, long bytes, boolean raw) {
        try {
            // Blocks are a multiple of the quantum, so the last bytes are never a special case.
            NativeMemory.zeroByCall(
                    address, bytes + SizeClasses.QUANTUM_BYTES - 1 & -SizeClasses.QUANTUM_BYTES);
        } catch (Throwable e) { // all, not only Error: that is less code
            giveBackTo(sizeClass, address, raw); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** What the calling thread still has in its cache goes when it hears of it. */
    private void requireOpen() {
        if (closed) {
            reclaim();
            throw new IllegalStateException("allocator '" + settings.tag() + "' is closed");
        }
    }

    /** A text that is there already: what makes one may need classes that cannot be loaded now. */
    private Refusal javaHeapExhausted() {
        return new Refusal.OutOfMemory("the Java heap is exhausted: raise -Xmx");
    }

    /** Cold: tells an interior address from a foreign one. */
    IllegalArgumentException notALiveBlock(long address) {
        Slab slab = slabs.at(address);
        long start = slab == null ? large.startOf(address) : slab.startOf(address);
        boolean ours = start != 0;
        if (ours && start != address) {
            return new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "0x%x lies %d bytes inside the block at 0x%x: pass its start",
                            address,
                            address - start,
                            start));
        }
        if (ours) {
            return new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "0x%x is not the start of a live raw block: it was freed before, or"
                                    + " belongs to a box or an arena, whose close frees it",
                            address));
        }
        return new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "0x%x is not the start of a live block of this allocator: it was freed"
                                + " before, or comes from elsewhere",
                        address));
    }
}
