package dev.kernelalloc.heap;

import dev.kernelalloc.heap.Slab.Queue;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The slabs of one thread, or of a shard that threads acquire for a moment. All fields belong to
 * the holder except {@link #holder} and {@link #pending}; see {@link SlabHeap}.
 *
 * <p>Each slab is in one list: it is the current one of its class, one of the partial ones of its
 * class, or a full one. The bytes of current slabs, and of empty ones that are kept, are reserved
 * within the limits of the cache and of the heap. The free blocks of these slabs are what a thread
 * caches.
 */
final class SlabCache {

    /** Unowned: may be acquired or adopted. */
    static final long VACANT = 0;

    /** Acquired for a moment: not a thread's id. */
    static final long ACQUIRED = -1;

    /** Tracking one takes about two microseconds. */
    private static final long SAMPLED_EVERY_NANOS = 1_000_000;

    /** How many slabs are checked for free pages before a new slab is created. */
    private static final int SLABS_SCAVENGED = 32;

    private static final VarHandle HOLDER =
            FieldHandle.of(MethodHandles.lookup(), "holder", long.class);
    private static final VarHandle PENDING =
            FieldHandle.of(MethodHandles.lookup(), "pending", Slab.class);

    /**
     * The cache of a slab that is detached or new: it has no holder, so a thread that frees a block
     * of the slab records it there.
     */
    static final SlabCache IN_TRANSIT = new SlabCache(false, ACQUIRED, new CacheBudget(0), 0);

    /** Whether threads acquire it for a moment, rather than one owning it. */
    final boolean shard;

    private final CacheBudget budget;
    private final long limitBytes;

    /** A thread's id, or VACANT or ACQUIRED. */
    private long holder;

    /** Weak, since a dead thread would keep its class loader alive. */
    private volatile @Nullable WeakReference<Thread> thread;

    /** Whether it is held forever. */
    private volatile boolean ended;

    private final Slab[] current = new Slab[SizeClasses.COUNT];
    private final @Nullable Slab[] partial = new Slab[SizeClasses.COUNT];
    private @Nullable Slab full;
    private long reservedBytes;

    /** When each class was last refilled, counted in refills. */
    private final int[] refilledAt = new int[SizeClasses.COUNT];

    private int refills;

    /** Slabs without users, to be released once the cache is not held. */
    private @Nullable Slab dropped;

    /**
     * The bytes of slabs dropped since the last refill, except those that others have emptied and
     * the refill has collected. A thread that has dropped more than it may keep is releasing its
     * blocks, and keeps nothing: it may be idle afterwards, and slabs of an idle thread stay.
     */
    private long droppedBytes;

    /** The epoch of the holder's last flush. */
    int epoch;

    /** The thread that last acquired a shard, and how often in a row. */
    long lastUser;

    int repeats;

    /** How often a shard was acquired; other threads may read it. */
    int uses;

    private int sampleMask = Integer.MIN_VALUE;
    private long sampledAt;

    @SuppressWarnings("unused")
    private long p0, p1, p2, p3, p4, p5, p6, p7;

    /** Slabs with blocks freed by other threads, and slabs sent by other threads. */
    private volatile @Nullable Slab pending;

    private SlabCache(boolean shard, long holder, CacheBudget budget, long limitBytes) {
        this.shard = shard;
        this.holder = holder;
        this.budget = budget;
        this.limitBytes = limitBytes;
        Arrays.fill(current, Slab.ABSENT);
    }

    /** Creates a cache for all threads, which reserves nothing. */
    static SlabCache shard(CacheBudget budget) {
        return new SlabCache(true, VACANT, budget, 0);
    }

    /** Creates an unowned cache for one thread at a time. */
    static SlabCache vacant(CacheBudget budget, long limitBytes) {
        return new SlabCache(false, VACANT, budget, limitBytes);
    }

    // ---- who holds it ---------------------------------------------------------------------------

    /** Returns whether the calling thread has this id and owns the cache. */
    boolean isOf(long id) {
        return (long) HOLDER.getOpaque(this) == id;
    }

    /** Acquires it for a moment, if it is vacant. */
    boolean tryAcquire() {
        return (long) HOLDER.getOpaque(this) == VACANT && tryAcquireFrom(VACANT);
    }

    /** Acquires it for a moment, if it is vacant or its owner has died. */
    boolean tryAcquireDead() {
        long id = (long) HOLDER.getAcquire(this);
        return id != ACQUIRED && (id == VACANT || !isAlive()) && tryAcquireFrom(id);
    }

    /** Acquires it for a moment, even if its owner lives, which cannot reach it any more. */
    boolean tryAcquireUnreachable() {
        long id = (long) HOLDER.getAcquire(this);
        return id != ACQUIRED && tryAcquireFrom(id);
    }

    private boolean tryAcquireFrom(long id) {
        if (!HOLDER.compareAndSet(this, id, ACQUIRED)) {
            return false;
        }
        uses++;
        return true;
    }

    /** Ends {@link #tryAcquire}, {@link #tryAcquireDead} or {@link #tryAcquireUnreachable}. */
    void release() {
        HOLDER.setRelease(this, VACANT);
    }

    /** Makes the thread its owner, if it is vacant or its owner has died. */
    boolean adopt(long id, WeakReference<Thread> next) {
        if (!tryAcquireDead()) {
            return false;
        }
        thread = next;
        HOLDER.setRelease(this, id);
        return true;
    }

    /** Ends the cache, which has no slab, by its holder: it is never acquired again. */
    void end() {
        ended = true;
    }

    boolean isEnded() {
        return ended;
    }

    /**
     * Enters it in a table where its owner, if alive, looks it up.
     *
     * @return false if another one has the slot
     */
    boolean enterIn(@Nullable SlabCache[] hints) {
        long id = (long) HOLDER.getVolatile(this);
        int slot = (int) id & hints.length - 1;
        if (id <= VACANT || hints[slot] == this || !isAlive()) {
            return true;
        }
        if (hints[slot] != null) {
            return false;
        }
        hints[slot] = this;
        return true;
    }

    /** Returns whether its owner is a live thread. */
    boolean isLive() {
        return (long) HOLDER.getAcquire(this) > VACANT && isAlive();
    }

    private boolean isAlive() {
        WeakReference<Thread> reference = thread;
        Thread known = reference == null ? null : reference.get();
        return known != null && known.isAlive();
    }

    // ---- blocks ---------------------------------------------------------------------------------

    /**
     * Returns whether it may have a slab with a free block of that class; any thread may call it.
     */
    boolean mayHave(int sizeClass) {
        return pending != null || partial[sizeClass] != null || current[sizeClass] != Slab.ABSENT;
    }

    /**
     * Returns a slab of the class with a free block, the current one first; null if none has one.
     */
    @Nullable Slab find(int sizeClass) {
        Slab slab = current[sizeClass];
        slab.listLastFreed();
        if (slab.isWithdrawn()) {
            retire(slab);
            slab = Slab.ABSENT;
        }
        if (slab.hasFree()) {
            return slab;
        }
        if (pending != null) {
            drain();
            droppedBytes = 0; // this refills: what others have freed is not released by the thread
            if (slab.hasFree()) {
                return slab;
            }
        }
        if (slab.head != Slab.END) {
            slab.relist();
            if (slab.hasFree()) {
                return slab;
            }
        }
        Slab other = partial[sizeClass];
        while (other != null && (other.isWithdrawn() || !other.hasFree())) {
            if (!other.isWithdrawn()) {
                other.relist();
                if (other.hasFree()) { // it may be empty without having reserved its bytes
                    unlink(other);
                    other.setQueue(Queue.NONE);
                    break;
                }
            }
            move(other, Queue.FULL);
            other = partial[sizeClass];
        }
        return other;
    }

    /**
     * Allocates a block of a slab that {@link #find} returned.
     *
     * @return its address, with {@link Blocks#ZEROED} if its bytes are zeros
     */
    long pop(Slab slab, char state) {
        if (slab.queue == Queue.CURRENT) {
            return slab.pop(state);
        }
        unreserve(slab); // it is no longer empty
        long block = slab.pop(state);
        move(slab, slab.hasFree() ? Queue.PARTIAL : Queue.FULL);
        return block;
    }

    /**
     * Frees a block of one of its slabs. If the thread has thereby dropped more than it may keep
     * since its last refill, its current slabs join the others, so that they are dropped as soon as
     * they are empty, too.
     */
    void push(Slab slab, int index) {
        long before = droppedBytes;
        slab.push(index);
        requeue(slab);
        if (!shard && before <= limitBytes && droppedBytes > limitBytes) {
            retireAll();
        }
    }

    /**
     * Collects the blocks that other threads have freed, and lists the slabs that they have sent.
     */
    void drain() {
        Slab slab = (Slab) PENDING.getAndSet(this, null);
        while (slab != null) {
            Slab following = slab.nextPending;
            slab.nextPending = null;
            if (slab.cache == this) { // otherwise released: a race of two frees has posted it
                slab.collect();
                requeue(slab);
            }
            slab = following;
        }
    }

    /**
     * Posts a slab to its cache, by the thread that made it pending. The slab stays on the stack
     * until that cache drains it. A slab that was released has no cache and is dropped.
     */
    static void post(Slab slab) {
        SlabCache to = slab.cache;
        if (to == null) {
            return;
        }
        Slab before;
        do {
            before = to.pending;
            slab.nextPending = before;
        } while (!PENDING.compareAndSet(to, before, slab));
    }

    /**
     * Removes a slab from all lists, for the caller alone, which sends it to another cache or
     * attaches it there.
     *
     * @return false if a remote free is in flight: nothing has changed then
     */
    boolean detach(Slab slab) {
        if (!slab.detach()) {
            return false;
        }
        unreserve(slab);
        unlink(slab);
        slab.setQueue(Queue.NONE);
        slab.owner(Slab.FLUSH_REQUESTED);
        slab.cache = IN_TRANSIT;
        return true;
    }

    /** Attaches a slab that is detached or new; it is in no list until a block is popped. */
    void attach(Slab slab) {
        slab.cache = this;
        slab.collect();
    }

    /** Sends a detached slab to a cache that the caller need not hold. */
    static void send(Slab slab, SlabCache to) {
        slab.cache = to;
        post(slab);
    }

    boolean isPending() {
        return pending != null;
    }

    // ---- the lists ------------------------------------------------------------------------------

    /** Moves a slab to the list where it belongs after blocks of it were freed. */
    private void requeue(Slab slab) {
        if (slab.queue == Queue.CURRENT) {
            return;
        }
        if (slab.isEmpty()) {
            if (!slab.isWithdrawn() && keeps(slab)) {
                move(slab, Queue.PARTIAL);
            } else {
                long before = droppedBytes;
                drop(slab);
                if (!shard && before <= limitBytes && droppedBytes > limitBytes) {
                    dropEmpty();
                }
            }
        } else if (slab.queue == Queue.NONE) {
            move(slab, slab.hasFree() && !slab.isWithdrawn() ? Queue.PARTIAL : Queue.FULL);
        } else if (slab.queue == Queue.FULL && slab.isPartial() && !slab.isWithdrawn()) {
            move(slab, Queue.PARTIAL);
        }
    }

    /**
     * Returns whether an empty slab stays: a shard keeps at most one per class, to spare a thread
     * from creating it.
     */
    private boolean keeps(Slab slab) {
        if (shard) {
            Slab other = partial[slab.sizeClass];
            return slab.blocks() > 1 && (other == null || other == slab && slab.next == null);
        }
        return droppedBytes <= limitBytes && reserve(slab, slab.bytes());
    }

    private void move(Slab slab, Queue to) {
        if (slab.queue == to) {
            return;
        }
        if (to == Queue.FULL) {
            unreserve(slab);
        }
        unlink(slab);
        if (to == Queue.PARTIAL) {
            link(slab, partial[slab.sizeClass]);
            partial[slab.sizeClass] = slab;
        } else if (to == Queue.FULL) {
            link(slab, full);
            full = slab;
        }
        slab.setQueue(to);
    }

    private static void link(Slab slab, @Nullable Slab next) {
        slab.next = next;
        if (next != null) {
            next.previous = slab;
        }
    }

    private void unlink(Slab slab) {
        Slab next = slab.next;
        Slab previous = slab.previous;
        if (next != null) {
            next.previous = previous;
        }
        if (previous != null) {
            previous.next = next;
        } else if (partial[slab.sizeClass] == slab) {
            partial[slab.sizeClass] = next;
        } else if (full == slab) {
            full = next;
        } else if (current[slab.sizeClass] == slab) {
            current[slab.sizeClass] = Slab.ABSENT;
        }
        slab.next = null;
        slab.previous = null;
    }

    /**
     * Makes a slab with a free block the current one of its class.
     *
     * @return false if nothing can be reserved for it; its class has no current slab then
     */
    boolean makeCurrent(Slab slab) {
        Slab old = current[slab.sizeClass];
        if (old == slab) {
            return true;
        }
        retire(slab.sizeClass);
        if (!shard && !reserve(slab, slab.bytes())) {
            return false;
        }
        move(slab, Queue.CURRENT);
        current[slab.sizeClass] = slab;
        slab.untilSampled = old == Slab.ABSENT ? untilNextSample() : old.untilSampled;
        refilledAt[slab.sizeClass] = ++refills;
        droppedBytes = 0;
        return true;
    }

    /** Moves the current slab of a class to the other lists. */
    void retire(int sizeClass) {
        if (current[sizeClass] != Slab.ABSENT) {
            retire(current[sizeClass]);
        }
    }

    private void retire(Slab slab) {
        unreserve(slab);
        unlink(slab);
        slab.setQueue(Queue.NONE);
        requeue(slab);
    }

    /** Sets a slab's share of the limit to that many bytes; false if fewer are left. */
    private boolean reserve(Slab slab, long bytes) {
        long more = bytes - slab.reservedBytes;
        if (more > 0 && (reservedBytes + more > limitBytes || !budget.tryCharge(more))) {
            return false;
        }
        if (more < 0) {
            budget.uncharge(-more);
        }
        reservedBytes += more;
        slab.reservedBytes = bytes;
        return true;
    }

    private void unreserve(Slab slab) {
        reserve(slab, 0);
    }

    /**
     * Returns the class, other than one, whose current slab is the most dispensable; -1 if no other
     * has one. It is the class that has gone longest without a refill, weighted by bytes.
     */
    int victim(int butFor) {
        int found = -1;
        long most = -1;
        for (int i = 0; i < current.length; i++) {
            long idleness = (refills - refilledAt[i]) * current[i].bytes();
            if (current[i] != Slab.ABSENT && i != butFor && idleness > most) {
                most = idleness;
                found = i;
            }
        }
        return found;
    }

    /** Drops the empty slabs that are kept. */
    void dropEmpty() {
        for (Slab head : partial) {
            Slab slab = head;
            while (slab != null) {
                Slab following = slab.next;
                if (slab.isEmpty()) {
                    drop(slab);
                }
                slab = following;
            }
        }
    }

    private void drop(Slab slab) {
        unreserve(slab);
        unlink(slab);
        slab.setQueue(Queue.NONE);
        slab.owner(Slab.UNOWNED);
        slab.cache = null;
        slab.next = dropped;
        dropped = slab;
        droppedBytes += slab.bytes();
    }

    /** Returns the slabs without users, linked by {@code next}: the caller releases them. */
    @Nullable Slab takeDropped() {
        Slab all = dropped;
        dropped = null;
        return all;
    }

    // ---- releasing what no block uses -----------------------------------------------------------

    /** Drops all empty slabs. */
    void flush() {
        drain();
        retireAll();
        dropEmpty();
    }

    private void retireAll() {
        for (int i = 0; i < current.length; i++) {
            retire(i);
        }
    }

    /** Discards the free pages of slabs in which blocks were freed since the last time. */
    void discardFreePages(ChunkSource source) {
        for (Slab head : partial) {
            for (Slab slab = head; slab != null; slab = slab.next) {
                slab.discardFreePages(source);
            }
        }
    }

    /**
     * Discards the free pages of a few slabs, before a new one is created. Each call continues in
     * another class.
     */
    void scavenge(ChunkSource source) {
        int left = SLABS_SCAVENGED;
        for (int i = 0; i < partial.length; i++) {
            Slab slab = partial[(refills + i) % partial.length];
            for (; slab != null; slab = slab.next) {
                if (left-- == 0) {
                    return;
                }
                if (slab.isWorthDiscarding()) {
                    slab.discardFreePages(source);
                }
            }
        }
    }

    /**
     * Sends every slab to the shards that hold slabs without a thread.
     *
     * @return whether none is left: otherwise remote frees are in flight
     */
    boolean sendAll(SlabCaches to) {
        for (int i = 0; i < current.length; i++) {
            retire(i);
            sendAll(partial[i], to);
        }
        sendAll(full, to);
        for (Slab left : partial) {
            if (left != null) {
                return false;
            }
        }
        return full == null && pending == null;
    }

    private void sendAll(@Nullable Slab head, SlabCaches to) {
        Slab slab = head;
        while (slab != null) {
            Slab following = slab.next;
            SlabCache central;
            try {
                central = to.centralShard(slab.sizeClass);
            } catch (OutOfMemoryError _) {
                return; // the Java heap is exhausted: it stays
            }
            if (detach(slab)) {
                send(slab, central);
            }
            slab = following;
        }
    }

    // ---- sampling -------------------------------------------------------------------------------

    /**
     * Returns whether the owned block just allocated slowly is sampled; see {@link
     * SlabHeap#samples}.
     */
    boolean samples(int mask, int sizeClass) {
        if (mask == 0) {
            return true;
        }
        Slab slab = current[sizeClass];
        if (sampleMask != mask) {
            sampleMask = mask;
            for (Slab each : current) {
                if (each != Slab.ABSENT) {
                    each.untilSampled = untilNextSample();
                }
            }
            return false;
        }
        if (slab == Slab.ABSENT || slab.untilSampled > 0) {
            return false;
        }
        slab.untilSampled = untilNextSample();
        return mask > 0 && isTime();
    }

    /**
     * Returns a random number: with a fixed one, a program that allocates in turns would always
     * have the same block sampled.
     */
    private int untilNextSample() {
        return sampleMask < 0
                ? Integer.MAX_VALUE
                : 1 + ThreadLocalRandom.current().nextInt(2 * sampleMask + 1);
    }

    /**
     * Returns whether a sample is due, so that a thread with more owners than can be tracked
     * cheaply is sampled at a limited rate.
     */
    private boolean isTime() {
        long now = System.nanoTime();
        if (now - sampledAt < SAMPLED_EVERY_NANOS) {
            return false;
        }
        sampledAt = now;
        return true;
    }

    // ---- for a look from outside ----------------------------------------------------------------

    /** Returns whether a slab's free blocks count as cached: it is reserved. */
    boolean caches(Slab slab) {
        return !shard && slab.reservedBytes > 0;
    }

    /** Throws if an invariant of the lists does not hold; no thread may use the cache. */
    void checkInvariants() {
        long reserved = 0;
        for (int i = 0; i < current.length; i++) {
            Slab slab = current[i];
            if (slab != Slab.ABSENT) {
                long share = shard ? 0 : slab.bytes();
                require(slab.queue == Queue.CURRENT, slab, "current");
                require(slab.reservedBytes == share, slab, "current");
                reserved += check(slab, i);
            }
            for (Slab each = partial[i]; each != null; each = each.next) {
                require(each.queue == Queue.PARTIAL, each, "partial");
                long share = !shard && each.isEmpty() ? each.bytes() : 0;
                require(each.reservedBytes == share, each, "empty");
                reserved += check(each, i);
            }
        }
        for (Slab each = full; each != null; each = each.next) {
            require(each.queue == Queue.FULL && each.reservedBytes == 0, each, "full");
            check(each, each.sizeClass);
        }
        require(reserved == reservedBytes && reservedBytes <= limitBytes, null, "reserved");
        require(dropped == null, dropped, "dropped");
    }

    private long check(Slab slab, int sizeClass) {
        slab.checkInvariants();
        require(slab.cache == this && slab.sizeClass == sizeClass, slab, "cache");
        require(slab.next == null || slab.next.previous == slab, slab, "list");
        return slab.reservedBytes;
    }

    private static void require(boolean holds, @Nullable Slab slab, String what) {
        if (!holds) {
            throw new AssertionError("broken invariant: what=" + what + " slab=" + slab);
        }
    }
}
