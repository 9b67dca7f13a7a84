package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/**
 * The slabs of one class and home, and where those with free blocks are found.
 *
 * <p>A slab stands at a <i>place</i>: one bit of a word. A bit that is set is the slab's token: who
 * clears it holds the token. Nobody waits: a thread that finds no bit makes a slab. Low places are
 * looked at first, so that what is little used stays at the high ones and becomes idle.
 */
final class Bin {

    /** 64 places. */
    private static final class Group {
        private static final VarHandle AVAILABLE;
        private static final VarHandle OCCUPIED;

        static {
            try {
                MethodHandles.Lookup lookup = MethodHandles.lookup();
                AVAILABLE = lookup.findVarHandle(Group.class, "available", long.class);
                OCCUPIED = lookup.findVarHandle(Group.class, "occupied", long.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        private final int number;
        private final @Nullable Slab[] slabs = new Slab[Long.SIZE];
        private volatile long available;
        private volatile long occupied;

        Group(int number) {
            this.number = number;
        }

        /** A place that was not taken, or -1. */
        int occupy() {
            for (long now = occupied; now != -1; now = occupied) {
                int bit = Long.numberOfTrailingZeros(~now);
                if (OCCUPIED.compareAndSet(this, now, now | 1L << bit)) {
                    return bit;
                }
            }
            return -1;
        }

        boolean claim(int bit) {
            long mask = 1L << bit;
            return ((long) AVAILABLE.getAndBitwiseAnd(this, ~mask) & mask) != 0;
        }
    }

    private static final VarHandle GROUPS;
    private static final VarHandle HINT;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            GROUPS = lookup.findVarHandle(Bin.class, "groups", Group[].class);
            HINT = lookup.findVarHandle(Bin.class, "hint", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile Group[] groups = {};

    /**
     * The lower half: no group below has anything to claim. The upper half counts offers, so that a
     * search that has found nothing does not hide a token offered behind its back.
     */
    private volatile long hint;

    /** The slabs of its class are cut so. */
    private final SlabShape shape;

    Bin(SlabShape shape) {
        this.shape = shape;
    }

    SlabShape shape() {
        return shape;
    }

    /** A slab whose token the caller holds from now on; none when there is none to claim. */
    @Nullable Slab claim() {
        long before = hint;
        Group[] all = groups;
        for (int i = (int) before; i < all.length; i++) {
            Group group = all[i];
            for (long now = group.available; now != 0; now = group.available) {
                int bit = Long.numberOfTrailingZeros(now);
                moveHint(before, i);
                if (group.claim(bit)) {
                    return group.slabs[bit];
                }
            }
        }
        moveHint(before, all.length);
        return null;
    }

    /** Claims the token of a slab, if it can be claimed and the slab still stands here. */
    boolean claim(Slab slab) {
        Group group = groupOf(slab.place());
        int bit = slab.place() % Long.SIZE;
        if (!group.claim(bit)) {
            return false;
        }
        Slab found = group.slabs[bit];
        if (found != slab) {
            offer(found); // another slab stands there by now
            return false;
        }
        return true;
    }

    /** The holder of a token gives it up; the slab has free blocks. */
    void offer(Slab slab) {
        Group group = groupOf(slab.place());
        Group.AVAILABLE.getAndBitwiseOr(group, 1L << slab.place());
        for (long now = hint; ; now = hint) {
            int lowest = Math.min((int) now, group.number);
            if (HINT.compareAndSet(this, now, ((now >>> 32) + 1 << 32) | lowest)) {
                return;
            }
        }
    }

    /** A place for a slab to come; nobody can claim there before its token is offered. */
    int reserve() {
        while (true) {
            Group[] all = groups;
            for (Group group : all) {
                int bit = group.occupy();
                if (bit >= 0) {
                    return group.number * Long.SIZE + bit;
                }
            }
            Group[] more = Arrays.copyOf(all, all.length + 1);
            more[all.length] = new Group(all.length);
            GROUPS.compareAndSet(this, all, more);
        }
    }

    /** Puts a slab at its place; the caller holds its token. */
    void add(Slab slab) {
        groupOf(slab.place()).slabs[slab.place() % Long.SIZE] = slab;
    }

    /**
     * Gives a place back: of a slab whose token the caller holds and that is no more, or of none.
     */
    void vacate(int place) {
        Group group = groupOf(place);
        group.slabs[place % Long.SIZE] = null;
        Group.OCCUPIED.getAndBitwiseAnd(group, ~(1L << place));
    }

    /**
     * Claims each slab that can be claimed and looks worth it, one after the other. The visitor
     * must offer it again or end it.
     */
    void visit(Predicate<Slab> worth, Consumer<Slab> visitor) {
        for (Group group : groups) {
            for (long left = group.available; left != 0; left &= left - 1) {
                int bit = Long.numberOfTrailingZeros(left);
                Slab seen = group.slabs[bit];
                if (seen != null && worth.test(seen) && group.claim(bit)) {
                    visitor.accept(group.slabs[bit]);
                }
            }
        }
    }

    /** The sum of something over all slabs. */
    long count(ToIntFunction<Slab> what) {
        long sum = 0;
        for (Group group : groups) {
            for (Slab slab : group.slabs) {
                sum += slab == null ? 0 : what.applyAsInt(slab);
            }
        }
        return sum;
    }

    private Group groupOf(int place) {
        return groups[place / Long.SIZE];
    }

    private void moveHint(long before, int to) {
        if (to > (int) before) {
            HINT.compareAndSet(this, before, (before >>> 32 << 32) | to);
        }
    }
}
