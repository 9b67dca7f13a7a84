package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Free blocks that one thread has at hand: for each class two magazines, of which one is loaded.
 * With two a thread whose number of blocks goes up and down around an edge does not exchange one
 * each time.
 *
 * <p>Only the owner uses a cache: the live thread whose id stands in {@link #owner}, or who has set
 * it to {@link #TAKEN}. Ids are never used again. The cache of a thread that has died is taken by
 * setting the owner from that id; all that the thread did comes before {@code isAlive} is false.
 */
final class ThreadCache {

    /** Nobody's; to be had. */
    static final long VACANT = 0;

    /** Somebody's for a moment: not a thread's id. */
    static final long TAKEN = -1;

    /** Watching one takes about two microseconds. */
    private static final long PICKED_EVERY_NANOS = 1_000_000;

    private static final VarHandle OWNER;

    static {
        try {
            OWNER = MethodHandles.lookup().findVarHandle(ThreadCache.class, "owner", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Of each class, and one more that is always empty, for requests that have no class. */
    final long[][] loaded = new long[SizeClasses.COUNT + 1][];

    /** The other magazine of each class. */
    final long[][] spare = new long[SizeClasses.COUNT + 1][];

    /** The id of the thread whose cache it is. */
    long owner;

    /** Weak: a thread that has died keeps its class loader alive. */
    private volatile @Nullable WeakReference<Thread> thread;

    // The owner's:

    /** How many dispersals it has followed. */
    int dispersals;

    /** The owned blocks to be taken until one is picked to be watched. */
    int untilPicked = Integer.MAX_VALUE;

    /** When one was picked last. */
    private long pickedAt;

    /** Of which numbers that was chosen; none yet. */
    private int pickedBy = Integer.MIN_VALUE;

    private final boolean[] reserved = new boolean[MagazineShape.CLASSES];
    private long reservedBytes;

    /** When each class got a magazine last, counted in exchanges. */
    private final int[] exchanged = new int[MagazineShape.CLASSES];

    private int exchanges;

    ThreadCache(long owner) {
        this.owner = owner;
        Arrays.fill(loaded, Magazine.NONE);
        Arrays.fill(spare, Magazine.NONE);
    }

    /** Of a thread. */
    static ThreadCache of(long id, WeakReference<Thread> thread) {
        ThreadCache cache = new ThreadCache(id);
        cache.thread = thread;
        return cache;
    }

    /** Takes it for a moment, from nobody. */
    boolean take() {
        return OWNER.compareAndSet(this, VACANT, TAKEN);
    }

    /** Takes it for a moment, when it is nobody's or its thread has died. */
    boolean takeIfDead() {
        long id = (long) OWNER.getAcquire(this);
        if (id == TAKEN || id != VACANT && isAlive()) {
            return false;
        }
        return OWNER.compareAndSet(this, id, TAKEN);
    }

    /** Takes it for a moment, from a live thread that cannot reach it any more. */
    boolean takeFromAnybody() {
        long id = (long) OWNER.getAcquire(this);
        return id != TAKEN && OWNER.compareAndSet(this, id, TAKEN);
    }

    /** Gives it back after {@link #take} or {@link #takeIfDead}. */
    void give() {
        OWNER.setRelease(this, VACANT);
    }

    /** Makes it a thread's, when it is nobody's or its thread has died. */
    boolean adopt(long id, WeakReference<Thread> next) {
        if (!takeIfDead()) {
            return false;
        }
        thread = next;
        OWNER.setRelease(this, id);
        return true;
    }

    /** Whether it belongs to that thread, if that is the calling one. */
    boolean isOf(long id) {
        return (long) OWNER.getOpaque(this) == id;
    }

    /** Whether it is a live thread's. */
    boolean isLive() {
        long id = (long) OWNER.getAcquire(this);
        return id != VACANT && id != TAKEN && isAlive();
    }

    private boolean isAlive() {
        WeakReference<Thread> reference = thread;
        Thread known = reference == null ? null : reference.get();
        return known != null && known.isAlive();
    }

    /** Whether bytes are reserved for the magazines of a class; without, it has none. */
    boolean isReserved(int sizeClass) {
        return reserved[sizeClass];
    }

    /** Reserves the bytes for the magazines of a class. */
    void reserve(int sizeClass) {
        reserved[sizeClass] = true;
        reservedBytes += reservedFor(sizeClass);
    }

    /** Ends {@link #reserve}; the magazines are gone. */
    void unreserve(int sizeClass) {
        reserved[sizeClass] = false;
        reservedBytes -= reservedFor(sizeClass);
    }

    /** All that is reserved. */
    long reservedBytes() {
        return reservedBytes;
    }

    /** What the magazines of a class may take, and their blocks. */
    static long reservedFor(int sizeClass) {
        return 2 * MagazineShape.bytes(sizeClass);
    }

    /** A block of either magazine, or 0. */
    long pop(int sizeClass) {
        if (Magazine.isEmpty(loaded[sizeClass]) && !Magazine.isEmpty(spare[sizeClass])) {
            swap(sizeClass);
        }
        return Magazine.pop(loaded[sizeClass]);
    }

    /** Whether there was room in either magazine. */
    boolean push(int sizeClass, long block) {
        if (Magazine.isFull(loaded[sizeClass]) && !Magazine.isFull(spare[sizeClass])) {
            swap(sizeClass);
        }
        return Magazine.push(loaded[sizeClass], block);
    }

    /**
     * Loads another magazine, which moves the loaded one aside, and that one out.
     *
     * @return the one moved out: the caller's
     */
    long[] insert(int sizeClass, long[] magazine) {
        exchanged[sizeClass] = ++exchanges;
        long[] out = spare[sizeClass];
        spare[sizeClass] = loaded[sizeClass];
        loaded[sizeClass] = magazine;
        return out;
    }

    /** How often a magazine was inserted; another thread may look. */
    int exchanges() {
        return exchanges;
    }

    /** Whether the block just taken is picked; see {@link ThreadCaches#picks}. */
    boolean picks(int mask) {
        if (mask == 0) {
            pickedBy = mask;
            untilPicked = 1;
            return true;
        }
        boolean due = untilPicked <= 0 && pickedBy == mask;
        if (!due && pickedBy == mask) {
            return false;
        }
        pickedBy = mask;
        untilPicked =
                mask < 0
                        ? Integer.MAX_VALUE
                        : 1 + ThreadLocalRandom.current().nextInt(2 * mask + 1);
        return due && mask > 0 && isTime();
    }

    /** At most once in a while, where a thread makes more boxes than can be watched for nothing. */
    private boolean isTime() {
        long now = System.nanoTime();
        if (now - pickedAt < PICKED_EVERY_NANOS) {
            return false;
        }
        pickedAt = now;
        return true;
    }

    private void swap(int sizeClass) {
        long[] magazine = loaded[sizeClass];
        loaded[sizeClass] = spare[sizeClass];
        spare[sizeClass] = magazine;
    }

    /**
     * The class whose magazines can best be spared, but for one class; or -1 when no other has any.
     * It is the one that has gone without a new magazine for longest, the more bytes the longer.
     */
    int mostDispensable(int butFor) {
        int found = -1;
        long most = -1;
        for (int i = 0; i < reserved.length; i++) {
            long idleness = (exchanges - exchanged[i]) * MagazineShape.bytes(i);
            if (reserved[i] && i != butFor && idleness > most) {
                most = idleness;
                found = i;
            }
        }
        return found;
    }

    /** How many blocks of a class it holds, for a look from outside. */
    long blocks(int sizeClass) {
        return Magazine.size(loaded[sizeClass]) + Magazine.size(spare[sizeClass]);
    }
}
