package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * How many blocks of a heap are in each state. Every block is in one state, so the counts add up to
 * the capacity; while other threads use the heap, each count is that of some moment.
 *
 * @param classes the blocks cut from slabs, for each size that has any
 * @param large the blocks with chunks of their own
 * @param chunks the memory obtained from the source for all of them
 */
public record Counters(List<OfClass> classes, Large large, Tally chunks) {

    /**
     * A number of blocks and of bytes.
     *
     * @param blocks the number of blocks
     * @param bytes the capacity of all of them together
     */
    public record Tally(long blocks, long bytes) {

        /** No blocks. */
        public static final Tally NONE = new Tally(0, 0);

        /** Returns the sum of this tally and another. */
        public Tally plus(Tally other) {
            return new Tally(blocks + other.blocks, bytes + other.bytes);
        }
    }

    /** Copies the list. */
    public Counters {
        classes = List.copyOf(classes);
    }

    /** Counts the states of all blocks. */
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
        return new Counters(classes, apart, slabs.ranges().plus(apart.all()));
    }

    /**
     * The blocks of one size.
     *
     * @param blockBytes the size
     * @param slabs the slabs from which they are cut
     * @param live the blocks in use
     * @param cached the free blocks in slabs reserved by the caches of threads
     * @param remote the blocks freed by a thread that does not own them, and not yet collected by
     *     the owner
     * @param free the other free blocks in slabs
     * @param quarantined the freed blocks that are kept from use
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

        private Tally all() {
            return of(live + cached + remote + free + quarantined);
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
     * The blocks that are not cut from slabs.
     *
     * @param live the blocks in use
     * @param free the chunks kept for another block
     * @param quarantined the freed blocks that are kept from use
     */
    public record Large(Tally live, Tally free, Tally quarantined) {

        private Tally all() {
            return live.plus(free).plus(quarantined);
        }
    }

    /** Returns the blocks in use. */
    public Tally live() {
        return large.live.plus(sum(one -> one.of(one.live)));
    }

    /** Returns the free blocks in the caches of threads. */
    public Tally cached() {
        return sum(one -> one.of(one.cached));
    }

    /** Returns the blocks freed by threads other than the owner, and not yet collected. */
    public Tally remote() {
        return sum(one -> one.of(one.remote));
    }

    private Tally sum(Function<OfClass, Tally> part) {
        Tally sum = Tally.NONE;
        for (OfClass one : classes) {
            sum = sum.plus(part.apply(one));
        }
        return sum;
    }

    // ---- the numbers that are asked for most --------------------------------------------------

    /** Returns the number of blocks in use. */
    public long liveBlocks() {
        return live().blocks();
    }

    /** Returns the bytes of the blocks in use. */
    public long liveBytes() {
        return live().bytes();
    }

    /** Returns the bytes in the caches of threads. */
    public long cachedBytes() {
        return cached().bytes();
    }

    /** Returns the bytes freed by threads other than the owner, and not yet collected. */
    public long remoteBytes() {
        return remote().bytes();
    }

    /** Returns the bytes of all blocks, used or not. */
    public long capacityBytes() {
        return large.all().plus(sum(OfClass::all)).bytes();
    }
}
