package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Maps threads to caches: platform threads have one of their own; virtual threads, which are many,
 * are assigned one if they call most. The others share <i>shards</i>.
 *
 * <p>A thread whose cache is not found in the table searches all, adopts a dead thread's, or
 * creates one. It checks only a few for dead owners, so a thread starts equally fast however many
 * have died.
 */
final class SlabCaches {

    /** So many that virtual threads rarely meet at one. */
    private static final int SHARDS_PER_PROCESSOR = 8;

    private static final int VIRTUAL_PER_PROCESSOR = 4;

    /** A virtual thread that acquires one shard this often in a row is assigned a cache. */
    private static final int REPEATS_FOR_CACHE = 16;

    /** The number of caches among which a dead one is searched. */
    private static final int ADOPTIONS_TRIED = 8;

    private static final int MAX_TABLE = 1 << 14;

    private static final SlabCache[] NO_CACHES = {};

    private static final VarHandle ALL =
            FieldHandle.of(MethodHandles.lookup(), "all", SlabCache[].class);
    private static final VarHandle ELEMENT = MethodHandles.arrayElementVarHandle(SlabCache[].class);

    private final CacheBudget budget;
    private final long limitBytes;

    /**
     * Whether threads have caches of their own; otherwise one shard serves all while it is vacant.
     */
    private final boolean own;

    private final @Nullable SlabCache[] shards;
    private final @Nullable SlabCache[] ofVirtualThreads;
    private volatile SlabCache[] all = NO_CACHES;
    private volatile @Nullable SlabCache[] table = new SlabCache[8];

    /** Where the search for dead caches continues. Benign race: lost updates do not matter. */
    private int adoptions;

    SlabCaches(boolean own, CacheBudget budget, long limitBytes) {
        this.own = own;
        this.budget = budget;
        this.limitBytes = limitBytes;
        int processors = Runtime.getRuntime().availableProcessors();
        this.shards = new SlabCache[powerOfTwo(processors * SHARDS_PER_PROCESSOR)];
        this.ofVirtualThreads =
                new SlabCache[own ? powerOfTwo(processors * VIRTUAL_PER_PROCESSOR) : 0];
    }

    private static int powerOfTwo(int atLeast) {
        return Integer.highestOneBit(2 * atLeast - 1);
    }

    // ---- of one thread --------------------------------------------------------------------------

    /** Returns the cache of the calling thread; null if it uses shards. */
    @Nullable SlabCache own(Thread thread) {
        if (!own) {
            return null;
        }
        SlabCache known = ownIfAny(thread);
        return known != null || thread.isVirtual() ? known : adoptOrMake(thread);
    }

    /** Returns the cache of the thread if it has one already. */
    @Nullable SlabCache ownIfAny(Thread thread) {
        long id = thread.threadId();
        SlabCache hinted = hinted(id);
        if (hinted != null) {
            return hinted;
        }
        for (SlabCache cache : thread.isVirtual() ? ofVirtualThreads : all) {
            if (cache != null && cache.isOf(id)) {
                enter(cache, id);
                return cache;
            }
        }
        return null;
    }

    /** Returns the cache of the thread with an id if the table knows it. */
    @Nullable SlabCache hinted(long id) {
        @Nullable SlabCache[] hints = table;
        SlabCache hinted = (SlabCache) ELEMENT.getAcquire(hints, (int) id & hints.length - 1);
        return hinted != null && hinted.isOf(id) ? hinted : null;
    }

    private SlabCache adoptOrMake(Thread thread) {
        long id = thread.threadId();
        WeakReference<Thread> reference = new WeakReference<>(thread);
        SlabCache[] now = all;
        int first = adoptions;
        for (int i = 0; i < Math.min(ADOPTIONS_TRIED, now.length); i++) {
            SlabCache cache = now[Integer.remainderUnsigned(first + i, now.length)];
            adoptions = first + i + 1;
            if (cache.adopt(id, reference)) {
                enter(cache, id);
                return cache;
            }
        }
        SlabCache cache = SlabCache.vacant(budget, limitBytes);
        cache.adopt(id, reference);
        do {
            now = all;
        } while (!ALL.compareAndSet(this, now, plus(now, cache)));
        enter(cache, id);
        return cache;
    }

    private static SlabCache[] plus(SlabCache[] now, SlabCache cache) {
        SlabCache[] more = Arrays.copyOf(now, now.length + 1);
        more[now.length] = cache;
        return more;
    }

    /** Enters a hint. The table grows until live threads do not collide, if it can. */
    private void enter(SlabCache cache, long id) {
        @Nullable SlabCache[] hints;
        do {
            hints = table;
            SlabCache other = (SlabCache) ELEMENT.getAcquire(hints, (int) id & hints.length - 1);
            if (other != null && other != cache && hints.length < MAX_TABLE && other.isLive()) {
                hints = larger(hints);
            }
            ELEMENT.setVolatile(hints, (int) id & hints.length - 1, cache);
        } while (hints != table); // another thread has made it grow
    }

    private @Nullable SlabCache[] larger(@Nullable SlabCache[] old) {
        try {
            SlabCache[] larger;
            int length = old.length;
            do {
                length *= 2;
                larger = new SlabCache[length];
            } while (!enterAll(larger) && length < MAX_TABLE);
            table = larger;
            enterAll(larger); // those that were entered in the old one in between
            return larger;
        } catch (OutOfMemoryError e) {
            return old;
        }
    }

    /** Returns whether all have a slot of their own. */
    private boolean enterAll(@Nullable SlabCache[] hints) {
        boolean apart = true;
        for (SlabCache each : all) {
            apart &= each.enterIn(hints);
        }
        for (SlabCache each : ofVirtualThreads) {
            apart &= each == null || each.enterIn(hints);
        }
        return apart;
    }

    /** Removes caches that are {@link SlabCache#isEnded}, if there are many. */
    void removeEnded() {
        SlabCache[] now;
        SlabCache[] fewer;
        do {
            now = all;
            fewer = Arrays.stream(now).filter(each -> !each.isEnded()).toArray(SlabCache[]::new);
        } while (!ALL.compareAndSet(this, now, fewer));
    }

    /** Returns the caches of platform threads, dead and alive. */
    SlabCache[] all() {
        return all;
    }

    /** Returns whether there are more caches than a new thread checks. */
    boolean areMany() {
        return all.length > ADOPTIONS_TRIED;
    }

    /** Returns the caches of virtual threads. */
    @Nullable SlabCache[] ofVirtualThreads() {
        return ofVirtualThreads;
    }

    // ---- of all threads -------------------------------------------------------------------------

    /** Returns whether a new slab should be created only where no shard has a block. */
    boolean areScarce() {
        return !own;
    }

    int shards() {
        return shards.length;
    }

    /** Returns a shard that has been used, or null. */
    @Nullable SlabCache shardIfAny(int number) {
        return (SlabCache) ELEMENT.getAcquire(shards, number & shards.length - 1);
    }

    /** Returns a shard, by any number. */
    SlabCache shard(int number) {
        return get(shards, number & shards.length - 1);
    }

    /** Returns the shard that holds the slabs of a class without a thread. */
    SlabCache centralShard(int sizeClass) {
        return shard(own ? sizeClass : 0);
    }

    /** Returns that shard, or null if it has not been used. */
    @Nullable SlabCache centralShardIfAny(int sizeClass) {
        return shardIfAny(own ? sizeClass : 0);
    }

    /** Returns the shard that a thread tries first. */
    int firstShard(Thread thread) {
        return own ? (int) thread.threadId() : 0;
    }

    /** Returns whether a virtual thread that has acquired this shard has earned a cache. */
    boolean earnsCache(SlabCache shard, long id) {
        if (shard.lastUser != id) {
            shard.lastUser = id;
            shard.repeats = 0;
        }
        return own && ++shard.repeats > REPEATS_FOR_CACHE;
    }

    /**
     * Assigns the calling virtual thread, which holds a block, a cache; unless none is vacant or of
     * a dead owner, or the Java heap is exhausted.
     */
    void assign(Thread thread) {
        long id = thread.threadId();
        try {
            WeakReference<Thread> reference = new WeakReference<>(thread);
            for (int i = 0; i < ofVirtualThreads.length; i++) {
                SlabCache cache = get(ofVirtualThreads, (int) id + i & ofVirtualThreads.length - 1);
                if (cache.adopt(id, reference)) {
                    enter(cache, id);
                    return;
                }
            }
        } catch (OutOfMemoryError _) {
            // it continues to use shards
        }
    }

    private SlabCache get(@Nullable SlabCache[] caches, int at) {
        SlabCache known = (SlabCache) ELEMENT.getAcquire(caches, at);
        if (known != null) {
            return known;
        }
        SlabCache made =
                caches == shards ? SlabCache.shard(budget) : SlabCache.vacant(budget, limitBytes);
        SlabCache other = (SlabCache) ELEMENT.compareAndExchange(caches, at, null, made);
        return other == null ? made : other;
    }

    // ---- for a look from outside ----------------------------------------------------------------

    /** Visits all. */
    void forEach(Consumer<SlabCache> visitor) {
        Stream.of(all, ofVirtualThreads, shards)
                .flatMap(Arrays::stream)
                .filter(Objects::nonNull)
                .forEach(visitor);
    }
}
