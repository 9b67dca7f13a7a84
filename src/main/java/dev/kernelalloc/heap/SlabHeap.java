package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The engine: blocks of size classes, cut from slabs. Each slab is owned by the cache of one
 * thread.
 *
 * <pre>
 *   allocate   thread id, class ──► slab ──► head of its free list           no atomic operation
 *   free       address ──► slab ──► index ──► the thread's own: free list    no atomic operation
 *                                        └──► another's: REMOTE              one CAS
 *   refill     remote frees ──► partial slabs ──► central shards ──► ranges ──► source
 * </pre>
 *
 * <p><b>Ownership.</b> A slab belongs to one {@link SlabCache} from its creation to its release.
 * One thread holds a cache: the live thread whose id is the cache's holder, or a thread that has
 * acquired the cache by CAS, when it is vacant or its owner is dead. Thread ids are never reused,
 * and everything a thread did happens before its {@code isAlive} becomes false. Only the holder
 *
 * <ul>
 *   <li>reads and writes the free list, the counts and the lists of slabs, with plain accesses;
 *   <li>turns a free block into a live one, and a live one into a free one;
 *   <li>collects remote frees, passes a slab to another cache, or releases it.
 * </ul>
 *
 * <p><b>Block states.</b> {@link Slab#link} holds one value per block, outside the block. For a
 * free block this is the next block of the free list. Otherwise it is a state:
 *
 * <pre>
 *              allocate                        remote free             collect
 *   free ───────────────► RAW, OWNED ───(CAS)────────────────► REMOTE ──────────► free
 *     ▲                       │    ▲
 *     └───────────────────────┘    └── HELD (hardened heaps: freed, in quarantine)
 *              free by the owner
 * </pre>
 *
 * {@code free} accepts state RAW only. It therefore rejects every address that is not the start of
 * a live raw block.
 *
 * <p><b>Remote frees.</b> A thread that does not hold the slab's cache changes the state to REMOTE
 * by CAS, then sets the bit of the block's group in {@link Slab#remote}, unless it is set. If no
 * bit was, the thread posts the slab to the pending stack of its cache. Only the holder clears the
 * bits, when it drains the stack, and then collects the blocks of those groups by their states. A
 * slab is thus on at most one stack, and it is there, or about to be, while {@code remote} is not
 * NONE. A block counts as used until it is collected, so a slab with a remote free in flight is
 * never empty and never released. No step between the CAS and the post creates an object or calls
 * out, and {@link StackReserve} comes before the first: a thread cannot end in between.
 *
 * <p><b>Detached slabs.</b> A slab moves between caches only while detached. Its holder has changed
 * {@code remote} from NONE to PENDING, so no other thread posts the slab, and has cleared its
 * {@code cache} field. A new slab begins in this state. Posting the slab to its new cache ends it.
 *
 * <p><b>The block freed last.</b> A current slab sets the block of the box that its user closed
 * last aside for the next box. Only the owner writes {@link Slab#lastFreed}, and it puts the block
 * back before anything else happens to the slab. {@link Slab#count} reads the field before the
 * states, so a block that was set aside before is never counted as live.
 *
 * <p><b>Concurrent frees of one block</b> may both succeed if one is the owner's: its check and its
 * plain store enclose the other thread's CAS. The block is free once all the same, as collecting
 * trusts the states alone. The free list stays whole: the owner's store comes after that CAS in the
 * order of stores to the element, and any later CAS finds no RAW there. Two remote frees meet at
 * the CAS, and one is rejected.
 *
 * <p><b>Hints.</b> {@link SlabHints} may be stale. A slab found by thread is used if its {@code
 * user} is the thread's id, which only the thread itself writes, and withdraws when the slab stops
 * being the current one of its class. A slab found by address is used if the address is the start
 * of one of its blocks, by an exact test, in state RAW. A released slab has no such block and is
 * never reused, so a hit is never wrong. A miss searches the ranges and repairs the hint.
 *
 * <p><b>Flush requests.</b> {@link #requestFlush} increments the epoch, then stores {@link
 * Slab#FLUSH_REQUESTED} as owner and user of every slab. The next operation of each thread
 * therefore takes the slow path, compares epochs and flushes the thread's cache. A thread that
 * restores its id reads the epoch after a full fence, so one of the two sees the other. This is how
 * {@link #trim}, {@link #close} and a change of sampling reach other threads, at no cost to the
 * fast path. A thread that frees the blocks of others looks for its cache in the table of hints
 * alone. The table grows until live threads do not collide there; at its largest, one of two that
 * do learns of a request by its next operation of another kind.
 *
 * <p><b>Withdrawn slabs.</b> When the source reports that a chunk has lost what was requested of
 * it, no block is allocated from its slabs any more ({@link #withdraw}): caches skip them as they
 * skip full ones, and drop them once they are empty. The flag is stored before the epoch is
 * incremented, so a thread that has just made one its current slab learns of it by its next
 * operation.
 *
 * <p><b>Plain reads that may race</b>, and why each is safe:
 *
 * <ul>
 *   <li>{@code owner} in free: equal to the thread's id only if the thread itself wrote it. The
 *       same holds for {@code user} in allocate, which is read opaquely so that it is not hoisted
 *       from a loop, and where a box is closed.
 *   <li>the hint tables: a larger one is stored behind a release fence, and its elements are loaded
 *       by its reference, in an order that every processor keeps that the JVM runs on, as it does
 *       for final fields.
 *   <li>elements of the hint tables: final fields of a slab are visible with its reference, and
 *       {@code owner} and {@code user} are 0, or written by the reader.
 *   <li>{@code link} in free: read opaquely. The caller holds the block, so whatever made it RAW
 *       happens before.
 *   <li>lists of a shard that is not held: hints, in {@link SlabCache#mayHave} alone.
 *   <li>{@link SlabCache#uses} of a shard, and the number from which a new thread looks for a dead
 *       cache: heuristics, any value will do.
 *   <li>whether a slab is empty, in {@link #sweepClosed}: what it misses is left to the trim
 *       thread.
 *   <li>states, queue and reserved bytes of a slab in {@link Slab#count}: an estimate while the
 *       slab is used.
 * </ul>
 *
 * <p><b>Waiting.</b> No thread waits for another. A shard or range that is busy is skipped, and
 * every path ends at the source. Between acquiring and releasing a shard there is no Java
 * allocation, no callback and nothing to wait for.
 *
 * <p><b>Invariants</b>, verified by {@link #checkInvariants} while nobody uses the heap:
 *
 * <pre>
 *   each slab:   used = live + last + held + remote   blocks = used + length of the free list
 *   each cache:  reserved = bytes of current slabs and of empty ones that are kept ≤ limit
 *   the heap:    live + cached + remote + free + held = capacity
 * </pre>
 *
 * <p>Sources: Leijen, Zorn, de Moura, <i>Mimalloc: Free List Sharding in Action</i> (2019), for
 * slabs with a free list of the owner and one of all others; Liétar et al., <i>snmalloc</i> (2019),
 * for messages to the owner; Bonwick, <i>The Slab Allocator</i> (1994).
 */
public final class SlabHeap extends SlabHints implements Blocks, Budget.Holder {

    /** Below this, threads share shards: a slab for each class would be the whole cache. */
    public static final long MIN_THREAD_CACHE_BYTES = 2L << 20;

    /** A class is cached only if the thread's limit allows this many of its slabs. */
    private static final int SLABS_OF_A_CACHE = 4;

    private static final VarHandle REGISTERED =
            FieldHandle.of(MethodHandles.lookup(), "registered", boolean.class);
    private static final VarHandle EPOCH =
            FieldHandle.of(MethodHandles.lookup(), "epoch", int.class);

    private final HeapSettings settings;
    private final HeapListener listener;
    private final NotifyingChunks source;
    private final Budget budget;
    private final Slabs slabs;
    private final LargeBlocks large;
    private final HighWater capacity;
    private final SlabCaches caches;
    private final UnownedCaches unowned;
    private volatile boolean closed;
    private volatile boolean registered;

    /** Incremented by each request to flush. */
    private volatile int epoch;

    /** Whether fast paths are enabled; not while every raw block is tracked. */
    private volatile boolean fastPaths = true;

    /** Held while {@link #trimIdle} moves blocks, so that counters do not see half a move. */
    private final Object idleTrimming = new Object();

    /** Creates an empty heap. */
    public SlabHeap(HeapSettings settings, ChunkSource source) {
        this(settings, source, HeapListener.NONE);
    }

    /** Creates an empty heap with a listener. */
    public SlabHeap(HeapSettings settings, ChunkSource source, HeapListener listener) {
        this(settings, source, new HighWater(), listener);
    }

    /** Creates an empty heap whose blocks are counted together with others. */
    public SlabHeap(
            HeapSettings settings, ChunkSource source, HighWater capacity, HeapListener listener) {
        this(settings, source, capacity, listener, false, false);
    }

    /**
     * Creates an empty heap.
     *
     * @param capacity the high-water mark of the bytes of all blocks
     * @param hardened whether slabs record the size asked for of each block
     * @param shuffled whether the blocks of a slab are handed out in random order
     */
    SlabHeap(
            HeapSettings settings,
            ChunkSource source,
            HighWater capacity,
            HeapListener listener,
            boolean hardened,
            boolean shuffled) {
        Warmup.SERVING.require();
        this.settings = settings;
        this.listener = listener;
        this.source = new NotifyingChunks(source, listener, idleTrimming);
        this.budget = source.budget();
        this.capacity = capacity;
        this.slabs =
                new Slabs(
                        this.source,
                        settings.cacheBytes(),
                        largerSlabBytes(settings.threadCacheBytes()),
                        capacity,
                        hardened,
                        shuffled);
        CacheBudget cached = new CacheBudget(settings.cacheBytes());
        this.large = new LargeBlocks(this.source, cached, capacity, listener);
        boolean own = settings.threadCacheBytes() >= MIN_THREAD_CACHE_BYTES;
        this.caches = new SlabCaches(own, cached, settings.threadCacheBytes());
        this.unowned = new UnownedCaches(caches, slabs, this.source);
    }

    /** Slabs are not enlarged under a small limit, or in locked memory: those caches are small. */
    private static long largerSlabBytes(long threadCacheBytes) {
        return threadCacheBytes <= MIN_THREAD_CACHE_BYTES ? 0 : threadCacheBytes / SLABS_OF_A_CACHE;
    }

    /** Executes each step of serving blocks once; see {@link Warmup}. */
    static void warmUpServing(ChunkSource unmapped, long cacheBytes) throws Refusal {
        scratchHeap(unmapped, cacheBytes).exercise();
    }

    /** Executes each step of releasing memory once. */
    static void warmUpTrimming(ChunkSource unmapped, long cacheBytes) throws Refusal {
        SlabHeap heap = scratchHeap(unmapped, cacheBytes);
        heap.requestFlush();
        heap.exercise();
        heap.reclaim();
        heap.returnIdle();
        heap.returnIdle();
        heap.reclaimUnreachable();
    }

    private static SlabHeap scratchHeap(ChunkSource unmapped, long cacheBytes) {
        SlabHeap heap =
                new SlabHeap(
                        new HeapSettings("warm-up", cacheBytes, cacheBytes),
                        unmapped,
                        new HighWater(),
                        HeapListener.NONE,
                        false,
                        true);
        heap.registered = true; // by no thread
        return heap;
    }

    private void exercise() throws Refusal {
        exercise(512, 130); // a slab of these has 128 blocks
        exercise(300 << 10, 20); // 3 blocks; and more than the caches keep
    }

    private void exercise(long bytes, int count) throws Refusal {
        long[] blocks = new long[count];
        for (int i = 0; i < count; i++) {
            blocks[i] = allocate(bytes, 8, false);
        }
        for (int i = 0; i < count; i += 2) {
            Slab slab = find(blocks[i]);
            slab.freeRemotely((int) slab.indexOf(blocks[i]), Slab.RAW);
        }
        for (int i = 1; i < count; i += 2) {
            free(blocks[i]);
        }
        allocateFromAny(SizeClasses.of(bytes, 8), Slab.RAW);
    }

    // ---- the fast path --------------------------------------------------------------------------

    /**
     * Allocates a raw block of undefined contents from the calling thread's current slab.
     *
     * @param bytes unchecked, like {@code alignment}
     * @return the address; 0 if the caller must check the arguments and call {@link #allocate(long,
     *     long, boolean)}
     */
    public long tryAllocate(long bytes, long alignment) {
        long id = Thread.currentThread().threadId();
        Slab slab = current(id, SizeClasses.ofAny(bytes, alignment));
        if (slab.isCurrentOf(id)) {
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
     * Allocates a raw block of zeros from the calling thread's current slab.
     *
     * @return as {@link #tryAllocate}
     * @throws Error if the Java heap or stack is exhausted; the block is free again
     */
    public long tryAllocateZeroed(long bytes, long alignment) {
        long id = Thread.currentThread().threadId();
        Slab slab = current(id, SizeClasses.ofAny(bytes, alignment));
        if (!slab.isCurrentOf(id) || !slab.hasFree()) {
            return 0;
        }
        return zeroed(slab.popOfCurrent(Slab.RAW), bytes, Slab.RAW) & ADDRESS;
    }

    /**
     * Frees an address if it is the start of a live raw block in a slab of the calling thread.
     *
     * @return false if the caller must call {@link #free(long)}
     */
    public boolean tryFree(long address) {
        return tryFree(address, Slab.RAW);
    }

    /**
     * Returns the slab from which the calling thread is to allocate an owned block. Where a deep
     * caller creates a box, only methods that call nothing further are inlined here.
     *
     * @param bytes not negative
     * @param alignment a power of two
     * @return null if it has no free block, or if the allocation is to be sampled
     */
    public @Nullable Slab slabForOwned(long bytes, long alignment) {
        long id = Thread.currentThread().threadId();
        Slab slab = current(id, SizeClasses.of(bytes, alignment));
        return slab.isCurrentOf(id)
                        && (slab.lastFreed != 0 || slab.hasFree())
                        && --slab.untilSampled > 0
                ? slab
                : null;
    }

    /**
     * Allocates an owned block from the calling thread's current slab.
     *
     * @param bytes not negative
     * @param alignment a power of two
     * @return its address and marks; 0 if there is no free block, or if it is to be sampled
     */
    public long tryAllocateOwned(long bytes, long alignment) {
        Slab slab = slabForOwned(bytes, alignment);
        if (slab == null) {
            return 0;
        }
        long last = slab.popLastFreed();
        return last != 0 ? last : slab.popOfCurrent(Slab.OWNED);
    }

    /**
     * Frees an owned block of a slab of the calling thread.
     *
     * @return false if the caller must call {@link #freeOwned}
     */
    public boolean tryFreeOwned(long address) {
        return tryFree(address, Slab.OWNED);
    }

    private boolean tryFree(long address, char state) {
        Slab slab = near(address);
        char[] link = slab.link;
        long found = slab.indexOf(address);
        int index = (int) found;
        // The second test is that of an access to the array: so the JIT does it once.
        if (found == index
                && Integer.compareUnsigned(index, link.length) < 0
                && Slab.state(link, index) == state
                && slab.owner == Thread.currentThread().threadId()) {
            return slab.tryPush(link, index);
        }
        return false;
    }

    // ---- raw blocks -----------------------------------------------------------------------------

    @Override
    public long allocate(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocate(bytes, alignment, zeroed, Slab.RAW) & ADDRESS;
    }

    @Override
    public void free(long address) {
        StackReserve.require();
        if (!tryFreeSlowly(address, Slab.RAW)) {
            throw notALiveBlock(address);
        }
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

    /**
     * Resizes in place if the class stays the same, or a large block fits and is not much too
     * large.
     */
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
        return allocateOwnedMarked(bytes, alignment, zeroed) & ADDRESS;
    }

    @Override
    public long allocateOwnedMarked(long bytes, long alignment, boolean zeroed) throws Refusal {
        long id = Thread.currentThread().threadId();
        Slab slab = current(id, SizeClasses.of(bytes, alignment));
        if (!slab.isCurrentOf(id) || !slab.hasFree()) {
            return allocate(bytes, alignment, zeroed, Slab.OWNED);
        }
        long block = slab.popOfCurrent(Slab.OWNED);
        return zeroed ? zeroed(block, bytes, Slab.OWNED) : block;
    }

    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        if (!tryFreeOwned(address)) {
            StackReserve.require();
            tryFreeSlowly(address, Slab.OWNED);
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

    /**
     * Returns an alignment for which no slab is large enough, so that the block is a chunk of its
     * own.
     */
    @Override
    public long growableAlignment(long alignment) {
        return large.resizes() && alignment <= SystemHeap.MALLOC_ALIGNMENT_BYTES
                ? 2L * SizeClasses.MAX_ALIGNMENT_BYTES
                : 0;
    }

    /** Enlarges a block. An error ends its owner, and the block with it. */
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
        Retry retry = null;
        while (true) {
            try {
                return large.enlarge(address, bytes);
            } catch (Refusal e) {
                retry = retry != null ? retry : retry();
                retry.after(e);
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

    // ---- the slow path --------------------------------------------------------------------------

    /** Allocates a block in the given state; returns its address and marks. */
    private long allocate(long bytes, long alignment, boolean zeroed, char state) throws Refusal {
        StackReserve.require();
        requireOpen();
        int sizeClass = SizeClasses.of(bytes, alignment);
        long block;
        try {
            block = allocateOrRetry(sizeClass, bytes, alignment, state);
        } catch (OutOfMemoryError e) {
            // The text is constant: formatting one may load classes, which could fail now.
            throw new Refusal.OutOfMemory("the Java heap is exhausted: raise -Xmx");
        }
        ensureRegistered(); // the source may have been so slow that this heap was found empty
        VarHandle.fullFence(); // either the closer sees the block allocated, or it is seen here
        if (closed) {
            tryFreeSlowly(block & ADDRESS, state);
            if (!isEmpty()) {
                Trimmer.register(this); // it was empty when it was closed
            }
            requireOpen();
        }
        return zeroed ? zeroed(block, bytes, state) : block;
    }

    private long allocateOrRetry(int sizeClass, long bytes, long alignment, char state)
            throws Refusal {
        Retry retry = null;
        while (true) {
            try {
                return allocateInside(sizeClass, bytes, alignment, state, retry != null);
            } catch (Refusal e) {
                retry = retry != null ? retry : retry();
                retry.after(e);
            }
        }
    }

    private Retry retry() {
        return new Retry(new IdleMemory(), budget.relief(), Integer.MAX_VALUE);
    }

    /** The idle memory of this heap, reclaimed for one request. */
    private final class IdleMemory implements Retry.Remedy {

        private int steps;

        /**
         * Reclaims idle blocks into the ranges, then releases the ranges without slabs. They are
         * kept at first: releasing one and obtaining another costs a dozen system calls.
         */
        @Override
        public boolean apply(Refusal refusal) {
            if (steps == 2) {
                return false;
            }
            Warmup.TRIMMING.require();
            boolean entered = budget.enter();
            try {
                if (steps++ == 0) {
                    reclaimIntoRanges(false);
                    return true;
                }
                return slabs.releaseRanges();
            } finally {
                budget.leave(entered, true);
            }
        }
    }

    /**
     * Allocates a block, counted as a thread that may hold memory in passing.
     *
     * @param anywhere whether to search all caches that no live thread owns
     */
    private long allocateInside(
            int sizeClass, long bytes, long alignment, char state, boolean anywhere)
            throws Refusal {
        boolean entered = budget.enter();
        long block = 0;
        try {
            block = allocateBlock(sizeClass, bytes, alignment, state);
            return block;
        } catch (Refusal e) {
            if (anywhere && sizeClass != SizeClasses.NONE) {
                block = allocateFromAny(sizeClass, state);
            }
            if (block == 0) {
                throw e;
            }
            return block;
        } finally {
            budget.leave(entered, block != 0);
        }
    }

    private long allocateBlock(int sizeClass, long bytes, long alignment, char state)
            throws Refusal {
        if (!registered && REGISTERED.compareAndSet(this, false, true)) {
            register();
        } else {
            Trimmer.ensureRunning();
        }
        if (sizeClass == SizeClasses.NONE) {
            Warmup.LARGE_BLOCKS.require();
            return large.allocate(bytes, alignment, state == Slab.RAW);
        }
        Thread thread = Thread.currentThread();
        SlabCache own = caches.own(thread);
        if (own != null) {
            flushIfRequested(own, thread);
            long block = allocateFromOwn(own, thread, sizeClass, state);
            if (block != 0) {
                return block;
            }
        }
        return allocateFromShard(thread, sizeClass, state);
    }

    /** Allocates from the calling thread's cache; 0 if the class is too large for it. */
    private long allocateFromOwn(SlabCache own, Thread thread, int sizeClass, char state)
            throws Refusal {
        Slab slab = own.find(sizeClass);
        if (slab == null) {
            slabs.release(own.takeDropped()); // no other thread can, and what follows may throw
            if (slabs.bytes(sizeClass) * SLABS_OF_A_CACHE > settings.threadCacheBytes()) {
                return 0;
            }
            if (!slabs.hasIdle(sizeClass)) {
                own.scavenge(source);
            }
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

    /** Makes a slab current, if need be in place of the least used slab of another class. */
    private boolean makeCurrent(SlabCache own, Thread thread, Slab slab) {
        if (own.makeCurrent(slab)) {
            return true;
        }
        own.dropEmpty();
        while (!own.makeCurrent(slab)) {
            int dispensable = own.victim(slab.sizeClass);
            if (dispensable < 0) {
                return false;
            }
            own.retire(dispensable);
            forgetCurrent(thread.threadId(), dispensable);
        }
        return true;
    }

    /** Returns a detached slab with free blocks: one of the central shard, or a new one. */
    private Slab refill(int sizeClass) throws Refusal {
        SlabCache central = caches.centralShardIfAny(sizeClass);
        Slab slab = central == null ? null : unowned.detachFrom(central, sizeClass);
        boolean found = slab != null;
        if (slab == null) {
            slab = slabs.tryMake(sizeClass);
        }
        if (slab == null) { // before a new range is obtained
            slab = unowned.detach(sizeClass);
            found = slab != null;
        }
        if (slab == null) {
            slab = slabs.make(sizeClass);
        }
        if (!found) {
            hint(slab);
        }
        reportRefill(slab, found);
        return slab;
    }

    private long allocateFromShard(Thread thread, int sizeClass, char state) throws Refusal {
        int first = caches.firstShard(thread);
        SlabCache vacant = null;
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shard(first + i);
            if (shard.tryAcquire()) {
                boolean earned = thread.isVirtual() && caches.earnsCache(shard, thread.threadId());
                long block = popFrom(shard, sizeClass, state);
                unowned.release(shard);
                if (earned) {
                    caches.assign(thread);
                }
                if (block != 0) {
                    return block;
                }
                vacant = vacant == null ? shard : vacant;
                if (!caches.areScarce()) {
                    break;
                }
            }
        }
        // The block comes first: the slab, whose others are free, is sent to a shard. Not to one
        // that is busy, where the thread would miss it and create another.
        return popAndSend(refill(sizeClass), state, vacant == null ? caches.shard(first) : vacant);
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

    /** Allocates from any cache that no live thread owns; 0 if none has a block. */
    private long allocateFromAny(int sizeClass, char state) {
        SlabCache central = caches.centralShard(sizeClass); // before a slab is held
        Slab slab = unowned.detach(sizeClass);
        return slab == null ? 0 : popAndSend(slab, state, central);
    }

    private void reportRefill(Slab slab, boolean found) {
        try {
            listener.refilled(
                    SizeClasses.bytes(slab.sizeClass), slab.blocks() - slab.used(), found);
        } catch (Throwable _) {
            // the caller holds a slab
        }
    }

    /** Frees a block; false if no live block of that state starts there. */
    private boolean tryFreeSlowly(long address, char state) {
        Slab slab = find(address);
        if (slab == null) {
            boolean freed = large.free(address, state == Slab.RAW);
            ensureRegistered();
            return freed;
        }
        int index = (int) slab.indexOf(address);
        return slab.stateOf(index) == state && freeBlock(slab, index, state);
    }

    /**
     * Frees a live block of a slab.
     *
     * @param state the state of the block
     * @return false where another thread has ended it in this instant
     */
    boolean freeBlock(Slab slab, int index, char state) {
        boolean entered = budget.enter();
        try {
            return freeInside(slab, index, state);
        } finally {
            budget.leave(entered, true);
            if (OutstandingChunks.UNLOADABLE) {
                ensureRegistered(); // the trim thread may have ended since a block was allocated
            }
        }
    }

    private boolean freeInside(Slab slab, int index, char state) {
        SlabCache cache = slab.cache;
        if (cache == null) {
            return false; // another free of the block was faster, and the slab has been released
        }
        Thread thread = Thread.currentThread();
        if (cache.isOf(thread.threadId())) {
            if (fastPaths) {
                slab.owner(thread.threadId());
            }
            cache.push(slab, index);
            flushIfRequestedSince(cache, thread, slab); // its fence is for the closer, too:
            Slab dropped = cache.takeDropped(); // either it finds the block, or it is closed here
            if (dropped != null) {
                slabs.release(dropped);
                VarHandle.fullFence(); // or the slab
            }
        } else if (cache.shard && cache.tryAcquire()) {
            boolean ends = slab.cache == cache && slab.stateOf(index) == state;
            if (ends) {
                cache.push(slab, index);
            }
            unowned.release(cache);
            if (!ends) {
                return slab.stateOf(index) == state && freeInside(slab, index, state);
            }
            VarHandle.fullFence(); // as above: the closer finds the shard released
        } else if (slab.freeRemotely(index, state)) {
            SlabCache own = caches.hinted(thread.threadId()); // no more: a free should be quick
            if (own != null) {
                flushIfRequested(own, thread);
            }
        } else {
            return false;
        }
        if (closed) {
            sweepClosed(slab, thread);
        }
        return true;
    }

    /** Returns the slab of which a block starts at an address, or null. */
    @Nullable Slab find(long address) {
        Slab hinted = near(address);
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

    /** Enables the fast path of the calling thread on its current slab. */
    private void enter(SlabCache own, Thread thread, Slab slab) {
        if (fastPaths) {
            slab.owner(thread.threadId());
            slab.user(thread.threadId());
            hintCurrent(own, thread.threadId(), slab);
            flushIfRequestedSince(own, thread, slab);
        }
    }

    // ---- flush requests -------------------------------------------------------------------------

    /** Requests every thread to flush its cache at its next call. */
    private void requestFlush() {
        EPOCH.getAndAdd(this, 1);
        VarHandle.fullFence(); // before the ids are read
        slabs.forEach(Slab::requestFlush);
    }

    /** Flushes the cache if that was requested before the slab got the id of its owner. */
    private void flushIfRequestedSince(SlabCache own, Thread thread, Slab slab) {
        VarHandle.fullFence(); // either the requester sees the id, or the request is seen here
        if (!fastPaths) {
            slab.requestFlush();
        }
        flushIfRequested(own, thread);
    }

    /** Flushes the calling thread's cache if that was requested. */
    private void flushIfRequested(SlabCache own, Thread thread) {
        int now = epoch;
        if (own.epoch != now) {
            own.epoch = now;
            flush(own, thread, true);
            slabs.trim(); // who requested it may have trimmed before
        }
    }

    private void flush(SlabCache own, Thread thread, boolean discarding) {
        for (int i = 0; i < SizeClasses.COUNT; i++) {
            forgetCurrent(thread.threadId(), i);
        }
        unowned.flush(own, discarding);
        if (closed) {
            own.sendAll(caches);
        }
        slabs.release(own.takeDropped());
        if (closed) {
            unowned.sweepPending();
            slabs.trim();
        }
    }

    /**
     * Enables or disables the fast paths. While they are disabled, every call takes the slow path,
     * where raw blocks can be tracked.
     */
    public void fastPaths(boolean on) {
        if (fastPaths != on) {
            Warmup.TRIMMING.require();
            fastPaths = on;
            requestFlush();
        }
    }

    /**
     * Returns whether an owned block that was allocated on the slow path is to be sampled. Each
     * thread counts down from a random number, for each class. At high rates at most one block per
     * millisecond is sampled, since tracking one takes two microseconds.
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

    /** Restarts the countdowns of all threads. */
    public void resetSampling() {
        Warmup.TRIMMING.require();
        requestFlush();
    }

    // ---- reclaiming memory ----------------------------------------------------------------------

    /** Returns to the source all idle memory that the calling thread can acquire. */
    private void reclaim() {
        reclaimIntoRanges(true);
        slabs.trim();
    }

    /** Returns idle blocks to their ranges, which are kept. */
    private void reclaimIntoRanges(boolean discarding) {
        Thread thread = Thread.currentThread();
        SlabCache own = caches.ownIfAny(thread);
        if (own != null) {
            own.epoch = epoch;
            flush(own, thread, discarding);
        }
        unowned.sweep(discarding);
        large.trim();
    }

    /** After a free in a closed heap: releases what no live block uses. */
    private void sweepClosed(Slab slab, Thread thread) {
        SlabCache cache = slab.cache;
        boolean pending = cache != null && cache.isPending();
        if (pending || slab.isEmpty()) { // racy reads: what they miss is left to the trim thread
            SlabCache own = caches.ownIfAny(thread);
            if (own != null) {
                flush(own, thread, false);
            }
            if (cache != null && cache.shard) {
                unowned.sweep(cache, false);
            }
            slabs.trim();
        }
        ensureRegistered(); // of two concurrent frees, each may leave it to the other
    }

    @Override
    public void trim() {
        StackReserve.require();
        Warmup.TRIMMING.require();
        long began = System.nanoTime();
        long returnedBefore = source.returnedBytes();
        requestFlush();
        synchronized (idleTrimming) { // so as not to miss slabs that the trim thread holds
            reclaim();
        }
        source.retryReleases();
        reportTrim(source.returnedBytes() - returnedBefore, System.nanoTime() - began);
    }

    private void reportTrim(long bytes, long nanos) {
        try {
            listener.trimmed(bytes, nanos);
        } catch (Throwable _) {
            // all is done
        }
    }

    /** Trims without waiting for the trim thread, on behalf of another heap. */
    @Override
    public void releaseIdle() {
        StackReserve.require();
        Warmup.TRIMMING.require();
        requestFlush();
        reclaim();
    }

    /**
     * Withdraws chunks that the source reports as no longer {@link ChunkSource#serves serving}.
     * Their live blocks stay valid and are freed as others are. No call that begins after this one
     * returns a new block from them. Each chunk is released with the last of its blocks.
     */
    public void withdraw() {
        if (slabs.withdraw()) {
            releaseIdle();
        }
    }

    @Override
    public Counters estimate() {
        return Counters.of(slabs, large);
    }

    /**
     * Returns memory to the system that has not been used since the last call; for the trim thread.
     *
     * @return whether the next call may have work to do
     */
    boolean trimIdle() {
        Warmup.TRIMMING.require();
        boolean entered = budget.enter();
        try {
            synchronized (idleTrimming) {
                returnIdle();
            }
            source.retryReleases();
        } finally {
            budget.leave(entered, true);
        }
        if (isWorthVisiting()) {
            return true;
        }
        registered = false; // before the second check; a slab created later sets it again
        return isWorthVisiting() && REGISTERED.compareAndSet(this, false, true);
    }

    /** Returns whether the trim thread visits this heap. */
    boolean isRegistered() {
        return registered;
    }

    /** Makes the trim thread visit this heap, if it holds memory. */
    private void ensureRegistered() {
        try {
            if (!registered && !isEmpty() && REGISTERED.compareAndSet(this, false, true)) {
                register();
            } else if (OutstandingChunks.UNLOADABLE) {
                Trimmer.ensureRunning();
            }
        } catch (Error e) {
            // The Java heap or stack is exhausted. The call itself has succeeded, and must not fail
            // for that: the next slow call tries again.
        }
    }

    private void register() {
        try {
            Trimmer.register(this);
        } catch (Throwable e) {
            registered = false; // the Java heap is exhausted: the next call tries again
            throw e;
        }
    }

    private void returnIdle() {
        unowned.sweepIdle();
        large.trimIdle();
        if (closed) {
            slabs.trim();
        } else {
            slabs.trimIdle();
        }
    }

    /**
     * Returns false if it holds no memory, or is closed and holds it in live blocks alone: a free
     * then releases the rest.
     */
    private boolean isWorthVisiting() {
        if (isEmpty()) {
            return false;
        }
        if (!closed) {
            return true;
        }
        Counters now = Counters.of(slabs, large);
        return now.liveBlocks() == 0 || now.cached().blocks() > 0 || now.remote().blocks() > 0;
    }

    private boolean isEmpty() {
        return slabs.isEmpty() && !large.hasIdle() && source.hasReleasedAll();
    }

    // ---- state ----------------------------------------------------------------------------------

    @Override
    public void close() {
        Warmup.TRIMMING.require();
        synchronized (this) {
            requireOpen();
            closed = true;
        }
        large.stopKeeping();
        trim(); // a range without slabs is released whole, and needs no discard
        slabs.stopKeepingIdle();
        if (!isEmpty()) {
            Trimmer.register(this);
        }
    }

    @Override
    public void reclaimUnreachable() {
        if (!closed) {
            close();
        }
        synchronized (idleTrimming) {
            unowned.sendUnreachable();
            reclaim();
        }
        source.retryReleases();
    }

    @Override
    public boolean isClosed() {
        return closed;
    }

    @Override
    public Counters counters() {
        synchronized (idleTrimming) { // of all users of the heap only the trim thread waits for it
            return Counters.of(slabs, large);
        }
    }

    @Override
    public long peakBytes() {
        return capacity.mostBytes();
    }

    /** Verifies the invariants; no thread may use the heap during the call. */
    void checkInvariants() {
        synchronized (idleTrimming) {
            caches.forEach(SlabCache::checkInvariants);
            slabs.forEach(Slab::checkInvariants);
        }
    }

    // ---- for the hardened heap ------------------------------------------------------------------

    /** Returns the blocks outside of slabs. */
    LargeBlocks large() {
        return large;
    }

    // ---- helpers --------------------------------------------------------------------------------

    /** Zeroes a block that is not marked; returns it marked. */
    private long zeroed(long block, long bytes, char state) {
        if ((block & ZEROED) == 0) {
            zero(block, bytes, state);
        }
        return block | ZEROED;
    }

    private void zero(long address, long bytes, char state) {
        try {
            NativeMemory.zero(address, bytes);
        } catch (Throwable e) { // all, not only Error: that is less code
            tryFreeSlowly(address, state); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** Throws if closed, after flushing what the calling thread still caches. */
    private void requireOpen() {
        if (closed) {
            reclaim();
            throw Blocks.closed(settings.tag());
        }
    }

    /** Explains why an address cannot be freed. */
    IllegalArgumentException notALiveBlock(long address) {
        Slab slab = slabs.at(address);
        long start = slab == null ? large.startOf(address) : slab.startOf(address);
        if (start == 0) {
            return Blocks.notALiveBlock(address);
        }
        if (start != address) {
            return new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "0x%x lies %d bytes inside the block at 0x%x: pass its start",
                            address,
                            address - start,
                            start));
        }
        return new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "0x%x is not the start of a live raw block: it was freed before, or"
                                + " belongs to a box or an arena, whose close frees it",
                        address));
    }
}
