package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The engine: blocks of size classes, cut from slabs, each slab owned by one thread's cache.
 *
 * <pre>
 *   allocate   thread id, class ──► slab ──► head of its free list           no atomic operation
 *   free       address ──► slab ──► index ──► the thread's own: free list    no atomic operation
 *                                        └──► another's: remote list         one CAS
 *   refill     remote frees ──► partial slabs ──► commons ──► ranges ──► source
 * </pre>
 *
 * <p><b>Ownership.</b> A slab belongs to one {@link SlabCache} from the moment it is made until it
 * is released, and a cache is held by one thread: the live one whose id is its holder, or whoever
 * has acquired it by CAS, from nobody or from a thread that has died. Ids are never used again; all
 * that a thread did happens before {@code isAlive} is false. The holder alone
 *
 * <ul>
 *   <li>reads and writes the free list, the counts and the lists of slabs, plainly;
 *   <li>takes a block from free to live, and a live one back;
 *   <li>collects what others have freed, hands a slab to another cache, or releases it.
 * </ul>
 *
 * <p><b>States.</b> {@link Slab#link} has a state for each block, outside of it: free, and then the
 * next block of the free list, or
 *
 * <pre>
 *              allocate                        remote free             collect
 *   free ───────────────► RAW, OWNED ───(CAS)────────────────► REMOTE ──────────► free
 *     ▲                       │    ▲
 *     └───────────────────────┘    └── HELD (hardened heaps: ended, in quarantine)
 *              free by the owner
 * </pre>
 *
 * {@code free} takes RAW alone, so it refuses every address that is not the start of a live raw
 * block.
 *
 * <p><b>Remote frees.</b> Another thread makes the state REMOTE by CAS, adds the block to {@link
 * Slab#remote} by CAS, and if it found that list empty posts the slab to the pending stack of its
 * cache. Only the holder of that cache, draining the stack, empties the list: so a slab is on one
 * stack at most, and is there, or about to be, while its remote list is not NONE. A slab changes
 * its cache only <i>detached</i>: its holder has made the list, which was NONE, pending with no
 * block, so that nobody posts it meanwhile, and its cache nobody's; a new slab begins so. It is
 * posted to its new cache in the end. A block counts as used until it is collected: so a slab with
 * a remote free in flight is never empty, and never released.
 *
 * <p><b>Two frees of one block in the same instant</b> may both be accepted, when one is the
 * owner's: it reads RAW and stores, while the other's CAS comes between. The block is free once:
 * collecting believes the states, and where the remote list, whose links lie in an array of their
 * own, does not lead to as many blocks as were added, looks at all of them. Two remote frees meet
 * at the CAS, and one is refused.
 *
 * <p><b>Hints.</b> Both tables of the fast path may be stale, and elements are written plainly. A
 * slab from {@link #byThread} is used if its owner is the calling thread's id, which the thread
 * itself has written; one from {@link #byGranule} if the address is one of its blocks, which is
 * exact, in state RAW. A released slab has no such block and is never used again, so a hit is never
 * wrong. A miss takes the slow path, which looks into the ranges and writes the element anew.
 *
 * <p><b>Being heard.</b> {@link #disperse} raises the epoch, then stores {@link Slab#ASKED} as the
 * owner of all slabs: the next operation of each thread is slow, sees the epoch, and flushes its
 * cache. An owner that writes its id back reads the epoch after a full fence, so one of the two
 * sees the other. {@link #trim}, {@link #close} and sampling are heard so, at no cost to the fast
 * path.
 *
 * <p><b>Plain reads that may race</b>, and why they may. Free reads {@code owner} plainly: it is
 * the thread's id only if the thread wrote it. Elements of the tables: final fields of a slab are
 * visible with its reference, and owner is the default, 0, or written by the reader. {@code link}
 * is read opaquely by free: the caller has the block, so what made it RAW happens before. Shards'
 * lists are looked at without holding them as a hint alone ({@link SlabCache#mayHave}).
 *
 * <p><b>Waiting.</b> Nothing waits: a shard or range that is busy is passed over, and at the end of
 * every path is the source. Between acquiring a shard and releasing it there is no Java allocation,
 * no callback and nothing to wait for.
 *
 * <p><b>Invariants</b>, which {@link #checkInvariants} checks where nobody uses the heap:
 *
 * <pre>
 *   each slab:   used = live + held + remote        blocks = used + length of the free list
 *   each cache:  reserved = sum of bytes of slabs that are current, or empty and kept ≤ limit
 *   the heap:    live + cached + remote + free + held = capacity
 * </pre>
 *
 * <p>Sources: Leijen, Zorn, de Moura, <i>Mimalloc: Free List Sharding in Action</i> (2019), for
 * slabs with a local and a remote list; Liétar et al., <i>snmalloc</i> (2019), for messages to the
 * owner; Bonwick, <i>The Slab Allocator</i> (1994).
 */
public final class SlabHeap implements Blocks, Trimmed, Budget.Holder {

    /** Smaller thread caches are not worth it: threads share shards. */
    private static final long MIN_THREAD_CACHE_BYTES = 1L << 20;

    /** A thread's cache has a slab of a class only where it can have so many. */
    private static final int SLABS_OF_A_CACHE = 4;

    private static final int CLASS_BITS = 8;
    private static final int MAX_THREAD_HINTS = 1 << 20;
    private static final int MAX_GRANULE_HINTS = 1 << 20;

    private static final VarHandle WATCHED;
    private static final VarHandle EPOCH;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            WATCHED = lookup.findVarHandle(SlabHeap.class, "watched", boolean.class);
            EPOCH = lookup.findVarHandle(SlabHeap.class, "epoch", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** By thread and class: the current slab of the thread's cache. */
    private Slab[] byThread = nothing(2 << CLASS_BITS);

    /** By address. */
    private Slab[] byGranule = nothing(64);

    private final HeapSettings settings;
    private final HeapListener listener;
    private final ToldChunks source;
    private final Slabs slabs;
    private final LargeBlocks large;
    private final HighWater capacity;
    private final SlabCaches caches;
    private volatile boolean closed;
    private volatile boolean watched;

    /** How often caches were asked to flush. */
    private volatile int epoch;

    /** Whether fast paths are taken; not while every raw block is tracked. */
    private volatile boolean hinting = true;

    /** Held while {@link #trimIdle} moves blocks: counters do not see half a move. */
    private final Object idleTrimming = new Object();

    /** What {@link #trimIdle} saw of each shard. */
    private final int[] shardUses;

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
     * @param shuffled whether the blocks of a slab are handed out in random order
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
        this.capacity = capacity;
        this.slabs = new Slabs(this.source, settings.cacheBytes(), capacity, hardened, shuffled);
        CacheBudget budget = new CacheBudget(settings.cacheBytes());
        this.large = new LargeBlocks(this.source, budget, capacity, listener);
        boolean own = settings.threadCacheBytes() >= MIN_THREAD_CACHE_BYTES;
        this.caches = new SlabCaches(own, budget, settings.threadCacheBytes());
        this.shardUses = new int[caches.shards()];
    }

    /** Walks through what holds something for a moment; see {@link Rehearsal}. */
    static void rehearseServing(ChunkSource nowhere, long cacheBytes) throws Refusal {
        rehearsed(nowhere, cacheBytes).serveOften();
    }

    /** The same where memory goes back. */
    static void rehearseTrimming(ChunkSource nowhere, long cacheBytes) throws Refusal {
        SlabHeap heap = rehearsed(nowhere, cacheBytes);
        heap.disperse();
        heap.serveOften();
        heap.reclaim();
        heap.returnIdle();
        heap.returnIdle();
    }

    private static SlabHeap rehearsed(ChunkSource nowhere, long cacheBytes) {
        SlabHeap heap =
                new SlabHeap(
                        new HeapSettings("rehearsed", cacheBytes, cacheBytes),
                        nowhere,
                        new HighWater(),
                        HeapListener.NONE,
                        false,
                        true);
        heap.watched = true; // by nobody
        return heap;
    }

    private void serveOften() throws Refusal {
        long[] blocks = new long[300]; // more than one slab of 512 bytes, and of 300 KiB
        for (long bytes : new long[] {512, 300 << 10}) {
            for (int i = 0; i < blocks.length; i++) {
                blocks[i] = allocate(bytes, 8, false);
            }
            for (int i = 0; i < blocks.length; i += 2) {
                freeFrom(blocks[i]);
            }
            for (int i = 1; i < blocks.length; i += 2) {
                free(blocks[i]);
            }
            takeOfAny(SizeClasses.of(bytes, 8), Slab.RAW);
        }
    }

    /** As a thread does that does not own the slab. */
    private void freeFrom(long address) {
        Slab slab = find(address);
        int index = (int) slab.indexOf(address);
        if (slab.change(index, Slab.RAW, Slab.REMOTE) && slab.addRemote(index)) {
            SlabCache.post(slab);
        }
    }

    private static Slab[] nothing(int length) {
        Slab[] table = new Slab[length];
        Arrays.fill(table, Slab.NOTHING);
        return table;
    }

    // ---- the fast path --------------------------------------------------------------------------

    /**
     * A raw block of undefined contents, if the calling thread has one at hand.
     *
     * @param bytes whatever the caller was given, like {@code alignment}
     * @return its address; 0 where {@link #allocate(long, long, boolean)} is to be called, with
     *     arguments that have been checked
     */
    public long tryAllocate(long bytes, long alignment) {
        Slab slab = current(SizeClasses.ofAny(bytes, alignment));
        if (slab.isOwnedBy(Thread.currentThread())) {
            char[] link = slab.link;
            int index = slab.head & Slab.INDEX;
            // The test is that of an access to the array: so the JIT does it once.
            if (Integer.compareUnsigned(index, link.length) < 0) {
                return slab.popAt(link, index, Slab.RAW);
            }
        }
        return 0;
    }

    /**
     * The same of a raw block of zeros.
     *
     * @throws Error when the Java heap or stack is exhausted: the block is free again
     */
    public long tryAllocateZeroed(long bytes, long alignment) {
        Slab slab = current(SizeClasses.ofAny(bytes, alignment));
        if (!slab.isOwnedBy(Thread.currentThread()) || !slab.hasFree()) {
            return 0;
        }
        long block = slab.pop(Slab.RAW);
        long address = block & Blocks.ADDRESS;
        if (block == address) {
            zero(address, bytes);
        }
        return address;
    }

    /**
     * Frees a live raw block of one of the calling thread's slabs, if that is what starts there.
     *
     * @return false where {@link #free(long)} is to be called
     */
    public boolean tryFree(long address) {
        return tryFree(address, Slab.RAW);
    }

    /**
     * An owned block, if the calling thread has one at hand.
     *
     * @param bytes not negative
     * @param alignment a power of two
     * @return its address and its marks; 0 where there is none at hand, or one is to be sampled
     */
    public long tryTake(long bytes, long alignment) {
        Slab slab = current(SizeClasses.of(bytes, alignment));
        return slab.isOwnedBy(Thread.currentThread()) && slab.hasFree() && --slab.untilSampled > 0
                ? slab.pop(Slab.OWNED)
                : 0;
    }

    /**
     * Frees an owned block of one of the calling thread's slabs.
     *
     * @return false where {@link #freeOwned} is to be called
     */
    public boolean tryGive(long address) {
        return tryFree(address, Slab.OWNED);
    }

    /** The calling thread's current slab of a class, if it is the owner of what this is. */
    private Slab current(int sizeClass) {
        long id = Thread.currentThread().threadId();
        Slab[] hints = byThread;
        return hints[((int) id << CLASS_BITS | sizeClass) & hints.length - 1];
    }

    private boolean tryFree(long address, char state) {
        Slab[] hints = byGranule;
        Slab slab = hints[(int) (address >>> Range.GRANULE_BITS) & hints.length - 1];
        char[] link = slab.link;
        long found = slab.indexOf(address);
        int index = (int) found;
        // The second test is that of an access to the array: so the JIT does it once.
        if (found == index
                && Integer.compareUnsigned(index, link.length) < 0
                && Slab.state(link, index) == state
                && slab.owner == Thread.currentThread().threadId()) {
            int left = slab.left - 1;
            if (left >= 0) {
                link[index] = (char) slab.head;
                slab.head = index;
                slab.left = left;
                return true;
            }
        }
        return false;
    }

    // ---- raw blocks -----------------------------------------------------------------------------

    @Override
    public long allocate(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocate(bytes, alignment, zeroed, Slab.RAW) & Blocks.ADDRESS;
    }

    @Override
    public void free(long address) {
        StackReserve.require();
        Slab slab = find(address);
        if (slab != null) {
            int index = (int) slab.indexOf(address);
            if (slab.stateOf(index) == Slab.RAW && give(slab, index, Slab.RAW)) {
                return;
            }
        } else if (large.free(address, true)) {
            watchWhatIsKept();
            return;
        }
        throw notALiveBlock(address);
    }

    @Override
    public long usableBytes(long address) {
        Slab slab = find(address);
        if (slab != null && slab.stateOf((int) slab.indexOf(address)) == Slab.RAW) {
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

    // ---- blocks of boxes and arenas -------------------------------------------------------------

    @Override
    public long allocateOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        return takeOwned(bytes, alignment, zeroed) & Blocks.ADDRESS;
    }

    @Override
    public long takeOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        Slab slab = current(SizeClasses.of(bytes, alignment));
        if (!slab.isOwnedBy(Thread.currentThread()) || !slab.hasFree()) {
            return allocate(bytes, alignment, zeroed, Slab.OWNED);
        }
        long block = slab.pop(Slab.OWNED);
        return zeroed ? zeroed(block, bytes) : block;
    }

    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        if (!tryGive(address)) {
            freeOwnedSlowly(address);
        }
    }

    private void freeOwnedSlowly(long address) {
        StackReserve.require();
        Slab slab = find(address);
        if (slab != null) {
            int index = (int) slab.indexOf(address);
            if (slab.stateOf(index) == Slab.OWNED) {
                give(slab, index, Slab.OWNED);
            }
        } else {
            large.free(address, false);
            watchWhatIsKept();
        }
    }

    @Override
    public void makeOwned(long address) {
        change(address, Slab.RAW, Slab.OWNED);
    }

    @Override
    public void makeRaw(long address) {
        change(address, Slab.OWNED, Slab.RAW);
    }

    private void change(long address, char from, char to) {
        Slab slab = find(address);
        boolean changed =
                slab != null
                        ? slab.change((int) slab.indexOf(address), from, to)
                        : large.change(address, from == Slab.RAW);
        if (!changed) {
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
                        "the block at 0x%x was freed by a listener while it was to grow"
                                .formatted(address));
            }
        }
    }

    // ---- the slow path --------------------------------------------------------------------------

    /** A block in a state; its address and its marks. */
    private long allocate(long bytes, long alignment, boolean zeroed, char state) throws Refusal {
        StackReserve.require();
        requireOpen();
        int sizeClass = SizeClasses.of(bytes, alignment);
        long block;
        try {
            block = takeOrReclaim(sizeClass, bytes, alignment, state);
        } catch (OutOfMemoryError e) {
            throw javaHeapExhausted();
        }
        watchWhatIsKept(); // the source may have been so slow that this heap was found empty
        VarHandle.fullFence(); // either the closer sees the block taken, or it is seen here
        if (closed) {
            giveBack(block, state);
            if (!isEmpty()) {
                Trimmer.watchClosed(this); // it was empty when it was closed
            }
            requireOpen();
        }
        return zeroed ? zeroed(block, bytes) : block;
    }

    private long takeOrReclaim(int sizeClass, long bytes, long alignment, char state)
            throws Refusal {
        try {
            return takeInside(sizeClass, bytes, alignment, state, false);
        } catch (Refusal e) {
            reclaimFor(e);
        }
        ChunkSource.Relief relief = source.relief();
        while (true) {
            try {
                return takeInside(sizeClass, bytes, alignment, state, true);
            } catch (Refusal e) {
                if (!relief.relieve(e)) {
                    throw e;
                }
            }
        }
    }

    /** Makes room for a request that was refused, where that can serve it. */
    private void reclaimFor(Refusal refusal) throws Refusal {
        if (source.isFinal(refusal)) {
            throw refusal;
        }
        Rehearsal.ofTrimming();
        boolean entered = source.enter();
        try {
            reclaim();
        } finally {
            source.leave(entered, true);
        }
    }

    /**
     * Takes a block, counted as a thread that may hold memory for a moment.
     *
     * @param anywhere whether every cache is asked that is not a live thread's
     */
    private long takeInside(int sizeClass, long bytes, long alignment, char state, boolean anywhere)
            throws Refusal {
        boolean entered = source.enter();
        long block = 0;
        try {
            block = take(sizeClass, bytes, alignment, state);
            return block;
        } catch (Refusal e) {
            if (anywhere && sizeClass != SizeClasses.NONE) {
                block = takeOfAny(sizeClass, state);
            }
            if (block == 0) {
                throw e;
            }
            return block;
        } finally {
            source.leave(entered, block != 0);
        }
    }

    private void giveBack(long block, char state) {
        long address = block & Blocks.ADDRESS;
        Slab slab = find(address);
        if (slab != null) {
            give(slab, (int) slab.indexOf(address), state);
        } else {
            large.free(address, state == Slab.RAW);
        }
    }

    private long take(int sizeClass, long bytes, long alignment, char state) throws Refusal {
        if (!watched && WATCHED.compareAndSet(this, false, true)) {
            watch();
        } else {
            Trimmer.ensureRunning();
        }
        if (sizeClass == SizeClasses.NONE) {
            Rehearsal.ofLargeBlocks();
            return large.allocate(bytes, alignment, state == Slab.RAW);
        }
        Thread thread = Thread.currentThread();
        SlabCache own = caches.own(thread);
        if (own != null) {
            heed(own, thread);
            long block = takeOfOwn(own, thread, sizeClass, state);
            if (block != 0) {
                return block;
            }
        }
        return takeOfShard(thread, sizeClass, state);
    }

    /** A block of the calling thread's cache; 0 where a class is too large for it. */
    private long takeOfOwn(SlabCache own, Thread thread, int sizeClass, char state) throws Refusal {
        Slab slab = own.find(sizeClass);
        if (slab == null) {
            if (slabs.bytes(sizeClass) * SLABS_OF_A_CACHE > settings.threadCacheBytes()) {
                return 0;
            }
            own.scavenge(source);
            slab = refill(sizeClass);
            own.attach(slab);
        }
        boolean current = makeCurrent(own, thread, slab);
        long block = own.pop(slab, state);
        if (current) {
            enter(own, thread, slab);
        }
        slabs.release(own.takeDropped());
        return block;
    }

    /** Where a thread uses many classes, the current slab of another makes room. */
    private boolean makeCurrent(SlabCache own, Thread thread, Slab slab) {
        while (!own.makeCurrent(slab)) {
            int dispensable = own.mostDispensable(slab.sizeClass);
            if (dispensable < 0) {
                return false;
            }
            own.retire(dispensable);
            forget(thread.threadId(), dispensable);
        }
        return true;
    }

    /** A slab with free blocks that no cache has: one that no thread needs, or a new one. */
    private Slab refill(int sizeClass) throws Refusal {
        SlabCache commons = caches.commonsIfAny(sizeClass);
        Slab slab = commons == null ? null : detachFrom(commons, sizeClass);
        boolean found = slab != null;
        if (slab == null) {
            slab = slabs.tryMake(sizeClass);
        }
        if (slab == null) { // before a new range
            slab = detachFromAny(sizeClass);
            found = slab != null;
        }
        if (slab == null) {
            slab = slabs.make(sizeClass);
        }
        if (!found) {
            hint(slab);
        }
        tellRefilled(slab, found);
        return slab;
    }

    /** A slab with free blocks of a shard, or of a thread that has died. */
    private @Nullable Slab detachFromAny(int sizeClass) {
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shardIfAny(i);
            Slab slab = shard == null ? null : detachFrom(shard, sizeClass);
            if (slab != null) {
                return slab;
            }
        }
        Slab slab = detachFromDead(caches.all(), sizeClass);
        return slab != null ? slab : detachFromDead(caches.loans(), sizeClass);
    }

    private @Nullable Slab detachFromDead(@Nullable SlabCache[] ofThreads, int sizeClass) {
        for (SlabCache cache : ofThreads) {
            if (cache != null && cache.mayHave(sizeClass) && cache.tryAcquireDead()) {
                Slab slab = detachHeld(cache, sizeClass);
                if (slab != null) {
                    return slab;
                }
            }
        }
        return null;
    }

    private @Nullable Slab detachFrom(SlabCache shard, int sizeClass) {
        return shard.mayHave(sizeClass) && shard.tryAcquire() ? detachHeld(shard, sizeClass) : null;
    }

    /** Ends holding the cache, too. */
    private @Nullable Slab detachHeld(SlabCache held, int sizeClass) {
        Slab slab = held.find(sizeClass);
        boolean detached = slab != null && held.detach(slab);
        release(held);
        return detached ? slab : null;
    }

    /** Ends holding a cache; what it has dropped meanwhile goes back. */
    private void release(SlabCache held) {
        Slab dropped = held.takeDropped();
        held.release();
        slabs.release(dropped);
    }

    private long takeOfShard(Thread thread, int sizeClass, char state) throws Refusal {
        int first = caches.firstShard(thread);
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shard(first + i);
            if (shard.tryAcquire()) {
                boolean earned = thread.isVirtual() && caches.earnsLoan(shard, thread.threadId());
                long block = popFrom(shard, sizeClass, state);
                release(shard);
                if (earned) {
                    caches.lend(thread);
                }
                if (block != 0) {
                    return block;
                }
                break;
            }
        }
        // The block comes first: the slab, whose others are free, is sent to a shard.
        return popAndSend(refill(sizeClass), state, caches.shard(first));
    }

    private static long popFrom(SlabCache held, int sizeClass, char state) {
        Slab slab = held.find(sizeClass);
        if (slab == null) {
            return 0;
        }
        held.makeCurrent(slab);
        return held.pop(slab, state);
    }

    private static long popAndSend(Slab detached, char state, SlabCache to) {
        long block = detached.pop(state);
        SlabCache.send(detached, to);
        return block;
    }

    /** Before a refusal: a block of whatever cache has one and is not a live thread's. */
    private long takeOfAny(int sizeClass, char state) {
        Slab slab = detachFromAny(sizeClass);
        return slab == null ? 0 : popAndSend(slab, state, caches.commons(sizeClass));
    }

    private void tellRefilled(Slab slab, boolean found) {
        try {
            listener.refilled(
                    SizeClasses.bytes(slab.sizeClass), slab.blocks() - slab.used(), found);
        } catch (Throwable _) {
            // a slab is in the caller's hands
        }
    }

    /**
     * Ends a live block of a slab.
     *
     * @param state that it has
     * @return false where another thread has ended it in this instant
     */
    boolean give(Slab slab, int index, char state) {
        boolean entered = source.enter();
        try {
            return giveInside(slab, index, state);
        } finally {
            source.leave(entered, true);
        }
    }

    private boolean giveInside(Slab slab, int index, char state) {
        SlabCache cache = slab.cache;
        if (cache == null) {
            return false; // another free of the block was faster, and the slab has been released
        }
        Thread thread = Thread.currentThread();
        if (cache.isOf(thread.threadId())) {
            if (hinting) {
                slab.owner(thread.threadId());
            }
            cache.push(slab, index);
            heed(cache, thread);
            slabs.release(cache.takeDropped());
        } else if (cache.shard && cache.tryAcquire()) {
            boolean ends = slab.cache == cache && slab.stateOf(index) == state;
            if (ends) {
                cache.push(slab, index);
            }
            release(cache);
            if (!ends) {
                return slab.stateOf(index) == state && giveInside(slab, index, state);
            }
        } else if (slab.change(index, state, Slab.REMOTE)) {
            if (slab.addRemote(index)) {
                SlabCache.post(slab);
            }
            heed(thread);
        } else {
            return false;
        }
        if (closed) {
            sweepClosed(slab, thread);
        }
        return true;
    }

    // ---- hints ----------------------------------------------------------------------------------

    /** The slab that has a block at an address, or null. */
    @Nullable Slab find(long address) {
        Slab[] hints = byGranule;
        Slab hinted = hints[(int) (address >>> Range.GRANULE_BITS) & hints.length - 1];
        if (hinted.has(hinted.indexOf(address)) && hinted.cache != null) {
            return hinted;
        }
        Slab slab = slabs.at(address);
        if (slab == null || !slab.has(slab.indexOf(address))) {
            return null;
        }
        hint(slab);
        return slab;
    }

    /** Makes free find a slab. The table grows while slabs collide, to a limit. */
    private void hint(Slab slab) {
        long first = slab.address >>> Range.GRANULE_BITS;
        for (long granule = first; granule < first + slab.granules; granule++) {
            Slab[] hints = byGranule;
            int at = (int) granule & hints.length - 1;
            if (hints[at] != slab && hints[at].cache != null && hints.length < MAX_GRANULE_HINTS) {
                hints = grownGranules(hints);
                at = (int) granule & hints.length - 1;
            }
            hints[at] = slab;
        }
    }

    private Slab[] grownGranules(Slab[] old) {
        Slab[] larger;
        try {
            larger = nothing(old.length * 2);
        } catch (OutOfMemoryError e) {
            return old;
        }
        for (Slab slab : old) {
            long first = slab.address >>> Range.GRANULE_BITS;
            for (int i = 0; i < slab.granules && slab.cache != null; i++) {
                larger[(int) (first + i) & larger.length - 1] = slab;
            }
        }
        VarHandle.releaseFence(); // who sees the array sees what is in it
        byGranule = larger;
        return larger;
    }

    /** Makes the calling thread's allocate find its current slab. */
    private void enter(SlabCache own, Thread thread, Slab slab) {
        if (!hinting) {
            return;
        }
        long id = thread.threadId();
        Slab[] hints = byThread;
        int at = (int) id << CLASS_BITS | slab.sizeClass;
        Slab other = hints[at & hints.length - 1];
        SlabCache others = other.cache;
        if (others != null && others != own && hints.length < MAX_THREAD_HINTS && others.isLive()) {
            hints = grownThreads(hints);
        }
        slab.owner(id);
        hints[at & hints.length - 1] = slab;
        VarHandle.fullFence(); // either who asks sees the id, or the epoch is seen here
        heed(own, thread);
    }

    /** Empty: only a thread itself knows which slab is its current one. */
    private Slab[] grownThreads(Slab[] old) {
        Slab[] larger;
        try {
            larger = nothing(old.length * 2);
        } catch (OutOfMemoryError e) {
            return old;
        }
        VarHandle.releaseFence(); // who sees the array sees what is in it
        byThread = larger;
        return larger;
    }

    private void forget(long id, int sizeClass) {
        Slab[] hints = byThread;
        hints[((int) id << CLASS_BITS | sizeClass) & hints.length - 1] = Slab.NOTHING;
    }

    // ---- being heard ----------------------------------------------------------------------------

    /** Asks every thread to flush its cache at its next call. */
    private void disperse() {
        EPOCH.getAndAdd(this, 1);
        slabs.forEach(Slab::ask);
    }

    /** The same for a thread that may have no cache. */
    private void heed(Thread thread) {
        SlabCache own = caches.ownIfAny(thread);
        if (own != null) {
            heed(own, thread);
        }
    }

    /** Flushes the calling thread's cache if it was asked to. */
    private void heed(SlabCache own, Thread thread) {
        int now = epoch;
        if (own.epoch != now) {
            own.epoch = now;
            flush(own, thread);
        }
    }

    private void flush(SlabCache own, Thread thread) {
        for (int i = 0; i < SizeClasses.COUNT; i++) {
            forget(thread.threadId(), i);
        }
        own.flush(source);
        if (closed) {
            own.sendAll(caches);
        }
        slabs.release(own.takeDropped());
        if (closed) {
            sweepShards(true);
            slabs.trim();
        }
    }

    /**
     * Whether fast paths are taken, as usual; else each call is slow, so that raw blocks can be
     * tracked at no cost to others. Heard like {@link #trim}.
     */
    public void hinting(boolean on) {
        if (hinting != on) {
            hinting = on;
            disperse();
        }
    }

    /**
     * Whether an owned block that {@link #tryTake} did not have is sampled: one of a thousand, or
     * all. Each thread counts for itself and class, down from a random number. Of boxes made by the
     * million a second it is one in a millisecond: so the two microseconds that tracking one takes
     * are nothing.
     *
     * @param mask one less than the power of two of which one is sampled on average; 0 for all, -1
     *     for none
     */
    public boolean samples(int mask, long bytes, long alignment) {
        Thread thread = Thread.currentThread();
        SlabCache own = caches.ownIfAny(thread);
        int sizeClass = SizeClasses.of(bytes, alignment);
        if (own != null && sizeClass != SizeClasses.NONE) {
            return own.samples(mask, sizeClass);
        }
        return mask >= 0 && (ThreadLocalRandom.current().nextInt() & mask) == 0;
    }

    /** Makes every thread come to {@link #samples} with its next block. */
    public void sampleAnew() {
        disperse();
    }

    // ---- giving up what no block uses -----------------------------------------------------------

    /** Everything that the calling thread may touch. */
    private void reclaim() {
        Thread thread = Thread.currentThread();
        SlabCache own = caches.ownIfAny(thread);
        if (own != null) {
            own.epoch = epoch;
            flush(own, thread);
        }
        sweepDeadCaches();
        sweepShards(false);
        large.trim();
        slabs.trim();
    }

    private void sweepDeadCaches() {
        sweepDead(caches.all(), caches.areMany());
        sweepDead(caches.loans(), false);
        if (caches.areMany()) {
            caches.removeEnded();
        }
    }

    /** What a dead thread has becomes everybody's. */
    private void sweepDead(@Nullable SlabCache[] ofThreads, boolean ending) {
        for (SlabCache cache : ofThreads) {
            if (cache != null && !cache.isEnded() && cache.tryAcquireDead()) {
                cache.flush(source);
                if (cache.sendAll(caches) && ending) {
                    slabs.release(cache.takeDropped());
                    cache.end();
                } else {
                    release(cache);
                }
            }
        }
    }

    private void sweepShards(boolean onlyPending) {
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shardIfAny(i);
            if (shard != null && (!onlyPending || shard.isPending())) {
                sweep(shard);
            }
        }
    }

    /** Who finds it busy has posted before: so whoever releases it looks again. */
    private void sweep(SlabCache shard) {
        do {
            if (!shard.tryAcquire()) {
                return;
            }
            shard.flush(source);
            release(shard);
            VarHandle.fullFence();
        } while (shard.isPending());
    }

    /** After a block of a closed heap has ended: it may have been the last one of its slab. */
    private void sweepClosed(Slab slab, Thread thread) {
        SlabCache own = caches.ownIfAny(thread);
        if (own != null) {
            flush(own, thread);
        }
        SlabCache cache = slab.cache;
        if (cache != null && cache.shard) {
            sweep(cache);
        }
        slabs.trim();
    }

    @Override
    public void trim() {
        StackReserve.require();
        Rehearsal.ofTrimming();
        long began = System.nanoTime();
        long returnedBefore = source.returnedBytes();
        disperse();
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
        disperse();
        reclaim();
    }

    @Override
    public Counters estimate() {
        return Counters.of(slabs, large);
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
        if (!isEmpty()) {
            return true;
        }
        watched = false; // before the second look: who makes a slab after it asks to be watched
        return !isEmpty() && WATCHED.compareAndSet(this, false, true);
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
        sweepDeadCaches();
        for (int i = 0; i < shardUses.length; i++) {
            SlabCache shard = caches.shardIfAny(i);
            if (shard != null) {
                if (shard.uses == shardUses[i] || shard.isPending()) {
                    sweep(shard);
                }
                shardUses[i] = shard.uses;
            }
        }
        large.trimIdle();
        if (closed) {
            slabs.trim();
        } else {
            slabs.trimIdle();
        }
    }

    private boolean isEmpty() {
        return slabs.isEmpty() && !large.keepsAny();
    }

    // ---- the whole ------------------------------------------------------------------------------

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
    public boolean isClosed() {
        return closed;
    }

    @Override
    public Counters counters() {
        synchronized (idleTrimming) { // of all who use the heap only the trim thread waits for it
            return Counters.of(slabs, large);
        }
    }

    @Override
    public long peakBytes() {
        return capacity.mostBytes();
    }

    /** Throws where an invariant does not hold; nobody may use the heap meanwhile. */
    void checkInvariants() {
        synchronized (idleTrimming) {
            for (SlabCache cache : caches.all()) {
                cache.checkInvariants();
            }
            for (SlabCache loan : caches.loans()) {
                if (loan != null) {
                    loan.checkInvariants();
                }
            }
            for (int i = 0; i < caches.shards(); i++) {
                SlabCache shard = caches.shardIfAny(i);
                if (shard != null) {
                    shard.checkInvariants();
                }
            }
            slabs.forEach(Slab::checkInvariants);
        }
    }

    // ---- for the hardened heap ------------------------------------------------------------------

    /** The blocks that lie in no slab. */
    LargeBlocks large() {
        return large;
    }

    // ---- small things ---------------------------------------------------------------------------

    private long zeroed(long block, long bytes) {
        long address = block & Blocks.ADDRESS;
        if (block == address) {
            zero(address, bytes);
        }
        return address | Blocks.ZEROED;
    }

    private void zero(long address, long bytes) {
        try {
            // Blocks are a multiple of the quantum, so the last bytes are never a special case.
            NativeMemory.zeroByCall(
                    address, bytes + SizeClasses.QUANTUM_BYTES - 1 & -SizeClasses.QUANTUM_BYTES);
        } catch (Throwable e) { // all, not only Error: that is less code
            giveBack(address); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private void giveBack(long address) {
        Slab slab = find(address);
        if (slab == null) {
            giveBack(address, large.capacityAt(address, true) >= 0 ? Slab.RAW : Slab.OWNED);
        } else {
            giveBack(address, slab.stateOf((int) slab.indexOf(address)));
        }
    }

    /** What the calling thread still has in its cache goes when it finds the heap closed. */
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
                    "0x%x lies %d bytes inside the block at 0x%x: pass its start"
                            .formatted(address, address - start, start));
        }
        if (ours) {
            return new IllegalArgumentException(
                    ("0x%x is not the start of a live raw block: it was freed before, or belongs to"
                                    + " a box or an arena, whose close frees it")
                            .formatted(address));
        }
        return new IllegalArgumentException(
                ("0x%x is not the start of a live block of this allocator: it was freed before, or"
                                + " comes from elsewhere")
                        .formatted(address));
    }
}
