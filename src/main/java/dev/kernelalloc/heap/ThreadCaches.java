package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Which thread has which cache.
 *
 * <p>A platform thread finds its own in a table at its id, modulo the length; one load tells
 * whether it is there. The table is only a hint: a thread that is not in it looks through all
 * caches, takes over a dead thread's or makes one, and enters itself. So the table may be exchanged
 * for an empty one at any time, and every thread comes to the slow path with its next call: that is
 * how it hears of a {@link #disperse}.
 *
 * <p>Virtual threads are many, so they have none of their own: a few <i>stripes</i> serve all, each
 * taken by one atomic exchange. Between taking and giving back there is no Java allocation, no call
 * out of the heap and nothing to wait for. A stripe that a {@code StackOverflowError} leaves taken
 * is lost, with the blocks in its magazines; nothing waits for it.
 */
public final class ThreadCaches {

    private static final int MAX_TABLE = 1 << 14;

    private static final VarHandle TABLE;
    private static final VarHandle ALL;
    private static final VarHandle DISPERSALS;
    private static final VarHandle ELEMENT =
            MethodHandles.arrayElementVarHandle(ThreadCache[].class);

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            TABLE = lookup.findVarHandle(ThreadCaches.class, "table", ThreadCache[].class);
            ALL = lookup.findVarHandle(ThreadCaches.class, "all", ThreadCache[].class);
            DISPERSALS = lookup.findVarHandle(ThreadCaches.class, "dispersals", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Stands where no cache does; no thread has its id. */
    private static final ThreadCache NOBODYS = new ThreadCache(ThreadCache.TAKEN);

    /** Of a heap that has none: they never have a block, and never take one. */
    static final ThreadCaches NONE = new ThreadCaches(0);

    private final ThreadCache[] stripes;
    private volatile ThreadCache[] table = empty(16);
    private volatile ThreadCache[] all = {};
    private volatile int dispersals;

    ThreadCaches(int stripes) {
        this.stripes = new ThreadCache[Integer.highestOneBit(Math.max(2, stripes) * 2 - 1)];
        Arrays.setAll(this.stripes, _ -> new ThreadCache(ThreadCache.VACANT));
    }

    // ---- the fast path ------------------------------------------------------------------------

    /**
     * An owned block of the calling thread's cache.
     *
     * @param bytes not negative
     * @param alignment a power of two
     * @return its address and its marks; 0 where there is none at hand
     */
    public long take(long bytes, long alignment) {
        long id = Thread.currentThread().threadId();
        ThreadCache[] table = this.table;
        ThreadCache cache = table[(int) id & table.length - 1];
        return cache.owner == id && --cache.untilPicked != 0
                ? Magazine.pop(cache.loaded[SizeClasses.of(bytes, alignment)])
                : 0;
    }

    /**
     * Whether a block that {@link #take} did not have is to be watched: one of a thousand, or all.
     * Each thread counts for itself, down from a random number, so that nothing is added to most
     * calls but the count; and a program that makes its blocks in turn does not show the same one
     * each time. Of boxes made by the million a second it is one in a millisecond: so the two
     * microseconds that watching one takes are nothing.
     *
     * @param mask one less than the power of two of which one is picked on average; 0 for all, -1
     *     for none
     */
    public boolean picks(int mask) {
        ThreadCache own = Thread.currentThread().isVirtual() ? null : ownIfAny();
        if (own != null) {
            return own.picks(mask);
        }
        return mask >= 0 && (ThreadLocalRandom.current().nextInt() & mask) == 0;
    }

    /** Makes every thread come to {@link #picks} with its next block. */
    public void countAnew() {
        disperse();
    }

    /**
     * Ends an owned block, if there is room at hand.
     *
     * @param bytes as asked for, like {@code alignment}
     * @return whether there was
     */
    public boolean give(long address, long bytes, long alignment) {
        return push(SizeClasses.of(bytes, alignment), address);
    }

    /** A block from the loaded magazine of the calling thread's cache; 0 where that has none. */
    long pop(int sizeClass) {
        long id = Thread.currentThread().threadId();
        ThreadCache[] table = this.table;
        ThreadCache cache = table[(int) id & table.length - 1];
        return cache.owner == id ? Magazine.pop(cache.loaded[sizeClass]) : 0;
    }

    /** Whether the loaded magazine of the calling thread's cache had room. */
    boolean push(int sizeClass, long block) {
        long id = Thread.currentThread().threadId();
        ThreadCache[] table = this.table;
        ThreadCache cache = table[(int) id & table.length - 1];
        return cache.owner == id && Magazine.push(cache.loaded[sizeClass], block);
    }

    // ---- platform threads ---------------------------------------------------------------------

    /**
     * The cache of the calling thread, a platform thread; not in the table yet: see {@link #enter}.
     */
    ThreadCache own() {
        Thread thread = Thread.currentThread();
        long id = thread.threadId();
        ThreadCache known = find(id);
        if (known != null) {
            return known;
        }
        WeakReference<Thread> reference = new WeakReference<>(thread);
        for (ThreadCache cache : all) {
            if (cache.adopt(id, reference)) {
                return cache;
            }
        }
        ThreadCache cache = ThreadCache.of(id, reference);
        while (true) {
            ThreadCache[] now = all;
            ThreadCache[] more = Arrays.copyOf(now, now.length + 1);
            more[now.length] = cache;
            if (ALL.compareAndSet(this, now, more)) {
                return cache;
            }
        }
    }

    /** The cache of the calling thread, if it has one. */
    @Nullable ThreadCache ownIfAny() {
        return find(Thread.currentThread().threadId());
    }

    /** How often caches were asked to give up everything; read it before {@link #enter}. */
    int dispersals() {
        return dispersals;
    }

    /** The table that a cache may be entered in, if no {@link #disperse} comes between. */
    ThreadCache[] table() {
        return table;
    }

    /** Puts the calling thread's cache where the fast path finds it. */
    void enter(ThreadCache[] table, ThreadCache cache, long id) {
        int place = (int) id & table.length - 1;
        ThreadCache other = (ThreadCache) ELEMENT.getAcquire(table, place);
        if (other == cache || !other.isLive()) {
            ELEMENT.setRelease(table, place, cache);
        } else if (table.length < MAX_TABLE) {
            grow(table, cache, id);
        } // else the two of them take turns on the slow path
    }

    /**
     * Makes every thread come to the slow path with its next call, where it finds {@link
     * #dispersals} changed.
     */
    void disperse() {
        DISPERSALS.getAndAdd(this, 1);
        table = empty(table.length);
    }

    private void grow(ThreadCache[] old, ThreadCache cache, long id) {
        ThreadCache[] larger = empty(old.length * 2);
        for (ThreadCache known : old) {
            long owner = known.owner;
            if (owner > ThreadCache.VACANT) {
                larger[(int) owner & larger.length - 1] = known;
            }
        }
        larger[(int) id & larger.length - 1] = cache;
        TABLE.compareAndSet(this, old, larger);
    }

    private @Nullable ThreadCache find(long id) {
        for (ThreadCache cache : all) {
            if (cache.isOf(id)) {
                return cache;
            }
        }
        return null;
    }

    private static ThreadCache[] empty(int length) {
        ThreadCache[] table = new ThreadCache[length];
        Arrays.fill(table, NOBODYS);
        return table;
    }

    /** All caches of platform threads, also of dead ones. */
    ThreadCache[] all() {
        return all;
    }

    // ---- virtual threads ----------------------------------------------------------------------

    /**
     * A stripe for the calling thread alone, until {@link ThreadCache#give}; null: all are busy.
     */
    @Nullable ThreadCache takeStripe() {
        int first = (int) Thread.currentThread().threadId();
        for (int i = 0; i < stripes.length; i++) {
            ThreadCache stripe = stripes[first + i & stripes.length - 1];
            if (stripe.take()) {
                return stripe;
            }
        }
        return null;
    }

    /** All stripes; none may be used without being taken. */
    ThreadCache[] stripes() {
        return stripes;
    }
}
