package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.VarHandle;

/**
 * The caches that no live thread owns: shards, and those of dead threads. A thread acquires one for
 * a moment, to obtain a slab from it, or to sweep it: to release what no block uses. A cache that
 * is busy is skipped. {@link SlabHeap} states the rules.
 */
final class UnownedCaches {

    private final SlabCaches caches;
    private final Slabs slabs;
    private final ChunkSource source;

    /** {@link SlabCache#uses} of each shard at the last {@link #sweepIdle}. */
    private final int[] shardUses;

    UnownedCaches(SlabCaches caches, Slabs slabs, ChunkSource source) {
        this.caches = caches;
        this.slabs = slabs;
        this.source = source;
        this.shardUses = new int[caches.shards()];
    }

    /** Releases a cache, then the slabs that it dropped. */
    void release(SlabCache held) {
        Slab dropped = held.takeDropped();
        held.release();
        slabs.release(dropped);
    }

    // ---- obtaining slabs ------------------------------------------------------------------------

    /** Detaches a slab with free blocks from any of them; null if none has one. */
    @Nullable Slab detach(int sizeClass) {
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shardIfAny(i);
            Slab slab = shard == null ? null : detachFrom(shard, sizeClass);
            if (slab != null) {
                return slab;
            }
        }
        Slab slab = detachFromDead(caches.all(), sizeClass);
        return slab != null ? slab : detachFromDead(caches.ofVirtualThreads(), sizeClass);
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

    @Nullable Slab detachFrom(SlabCache shard, int sizeClass) {
        return shard.mayHave(sizeClass) && shard.tryAcquire() ? detachHeld(shard, sizeClass) : null;
    }

    /** Detaches a slab and releases the cache. */
    private @Nullable Slab detachHeld(SlabCache held, int sizeClass) {
        Slab slab = held.find(sizeClass);
        boolean detached = slab != null && held.detach(slab);
        release(held);
        return detached ? slab : null;
    }

    // ---- sweeping -------------------------------------------------------------------------------

    /** Drops the empty slabs of a cache that the caller holds. */
    void flush(SlabCache held, boolean discarding) {
        held.flush();
        if (discarding) {
            held.discardFreePages(source);
        }
    }

    /** Sweeps all. */
    void sweep(boolean discarding) {
        sweepDead(discarding);
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shardIfAny(i);
            if (shard != null) {
                sweep(shard, discarding);
            }
        }
    }

    /** Sweeps shards that were not used since the last call, and caches of dead threads. */
    void sweepIdle() {
        sweepDead(true);
        for (int i = 0; i < shardUses.length; i++) {
            SlabCache shard = caches.shardIfAny(i);
            if (shard != null) {
                if (shard.uses == shardUses[i] || shard.isPending()) {
                    sweep(shard, true);
                }
                shardUses[i] = shard.uses;
            }
        }
    }

    /** Sweeps shards to which slabs were posted. */
    void sweepPending() {
        for (int i = 0; i < caches.shards(); i++) {
            SlabCache shard = caches.shardIfAny(i);
            if (shard != null && shard.isPending()) {
                sweep(shard, false);
            }
        }
    }

    /**
     * Sweeps a shard. A thread that finds the shard busy has posted before; its holder checks
     * again.
     */
    void sweep(SlabCache shard, boolean discarding) {
        do {
            if (!shard.tryAcquire()) {
                return;
            }
            try {
                flush(shard, discarding);
            } finally {
                release(shard);
            }
            VarHandle.fullFence();
        } while (shard.isPending());
    }

    private void sweepDead(boolean discarding) {
        sweepDead(caches.all(), caches.areMany(), discarding);
        sweepDead(caches.ofVirtualThreads(), false, discarding);
        if (caches.areMany()) {
            caches.removeEnded();
        }
    }

    /** Moves the slabs of dead threads to the central shards. */
    private void sweepDead(@Nullable SlabCache[] ofThreads, boolean ending, boolean discarding) {
        for (SlabCache cache : ofThreads) {
            if (cache != null && !cache.isEnded() && cache.tryAcquireDead()) {
                send(cache, ending, discarding);
            }
        }
    }

    /** Moves the slabs of a cache that the caller has acquired to the central shards. */
    private void send(SlabCache held, boolean ending, boolean discarding) {
        boolean ends = false;
        try {
            flush(held, discarding);
            ends = held.sendAll(caches) && ending;
        } finally {
            Slab dropped = held.takeDropped();
            if (ends) {
                held.end();
            } else {
                held.release();
            }
            slabs.release(dropped);
        }
    }

    // ---- an unreachable heap --------------------------------------------------------------------

    /** Moves all slabs to the central shards, even of live threads: none can reach the heap. */
    void sendUnreachable() {
        sendUnreachable(caches.all());
        sendUnreachable(caches.ofVirtualThreads());
    }

    private void sendUnreachable(@Nullable SlabCache[] ofThreads) {
        for (SlabCache cache : ofThreads) {
            if (cache != null && cache.tryAcquireUnreachable()) {
                send(cache, false, false);
            }
        }
    }
}
