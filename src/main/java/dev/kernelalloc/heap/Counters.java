package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Where the blocks of a heap are. Every block is in one place, so the places add up to its
 * capacity; where other threads use the heap meanwhile, each place is as it was at some moment.
 *
 * @param classes of those that are cut from slabs, for each size that there are any of
 * @param large those with memory of their own
 * @param chunks what has been taken from the source for all of them
 */
public record Counters(List<OfClass> classes, Large large, Tally chunks) {

    /** Keeps a copy of the list. */
    public Counters {
        classes = List.copyOf(classes);
    }

    /** What the states of all blocks say. */
    static Counters of(Slabs slabs, LargeBlocks large) {
        OfClass[] sums = new OfClass[SizeClasses.COUNT];
        slabs.forEach(
                slab -> {
                    int at = slab.sizeClass;
                    sums[at] = slab.count().plus(sums[at]);
                });
        List<OfClass> classes = new ArrayList<>();
        for (OfClass sum : sums) {
            if (sum != null) {
                classes.add(sum);
            }
        }
        Large apart = new Large(large.live(), large.idle(), large.held());
        return new Counters(
                classes,
                apart,
                slabs.ranges().plus(apart.live).plus(apart.free).plus(apart.quarantined));
    }

    /**
     * The blocks of one size.
     *
     * @param blockBytes the size
     * @param slabs that they are cut from
     * @param live in use
     * @param cached free in slabs that threads have at hand
     * @param remote freed by a thread that does not own them, and not yet collected by the owner
     * @param free in their slabs
     * @param quarantined freed, and kept from use
     */
    public record OfClass(
            long blockBytes,
            long slabs,
            long live,
            long cached,
            long remote,
            long free,
            long quarantined) {

        private Tally of(long blocks) {
            return new Tally(blocks, blocks * blockBytes);
        }

        OfClass plus(@Nullable OfClass other) {
            return other == null
                    ? this
                    : new OfClass(
                            blockBytes,
                            slabs + other.slabs,
                            live + other.live,
                            cached + other.cached,
                            remote + other.remote,
                            free + other.free,
                            quarantined + other.quarantined);
        }
    }

    /**
     * Blocks that are not cut from slabs.
     *
     * @param live in use
     * @param free kept for another block
     * @param quarantined freed, and kept from use
     */
    public record Large(Tally live, Tally free, Tally quarantined) {}

    /** In use. */
    public Tally live() {
        return large.live.plus(sum(one -> one.of(one.live)));
    }

    /** In the caches of threads. */
    public Tally cached() {
        return sum(one -> one.of(one.cached));
    }

    /** Freed by other threads than the owner, and not yet collected. */
    public Tally remote() {
        return sum(one -> one.of(one.remote));
    }

    /** In slabs, and large ones that are kept. */
    public Tally free() {
        return large.free.plus(sum(one -> one.of(one.free)));
    }

    /** Freed, and kept from use. */
    public Tally quarantined() {
        return large.quarantined.plus(sum(one -> one.of(one.quarantined)));
    }

    /** All of them. */
    public Tally capacity() {
        return live().plus(cached()).plus(remote()).plus(free()).plus(quarantined());
    }

    private Tally sum(Function<OfClass, Tally> place) {
        Tally sum = Tally.NONE;
        for (OfClass one : classes) {
            sum = sum.plus(place.apply(one));
        }
        return sum;
    }

    // ---- the numbers that are asked for most --------------------------------------------------

    /** Blocks in use. */
    public long liveBlocks() {
        return live().blocks();
    }

    /** Their bytes. */
    public long liveBytes() {
        return live().bytes();
    }

    /** Bytes in the caches of threads. */
    public long cachedBytes() {
        return cached().bytes();
    }

    /** Bytes freed by other threads than the owner, and not yet collected. */
    public long remoteBytes() {
        return remote().bytes();
    }

    /** Bytes of all blocks, used or not. */
    public long capacityBytes() {
        return capacity().bytes();
    }
}
