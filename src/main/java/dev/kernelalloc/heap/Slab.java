package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Blocks of one class, side by side, and the state of each.
 *
 * <p><b>Who may touch what.</b> A slab has one <i>token</i>. It lies in the {@link Bin} where it
 * can be claimed, or a thread holds it, or, while no block is free, it does not exist.
 *
 * <ul>
 *   <li>A state goes from {@link #FREE} to {@link #OUT} by the holder of the token alone.
 *   <li>It goes from OUT to FREE by whoever holds the block, without the token: one store, then the
 *       count. Who finds the count at 0 makes the token and offers it.
 *   <li>Between OUT and {@link #RAW} the holder of the block changes it, with plain stores.
 *   <li>{@link #freed} changes atomically. The holder lowers it as its last act: what is left is
 *       either more than 0, and the holder offers the token again, or 0, and the token is gone.
 *       Between, freed counts blocks whose states are FREE already, so the holder finds at least as
 *       many.
 *   <li>Everything else changes under the token.
 * </ul>
 */
final class Slab {

    /** Not in use and not in a cache: the holder of the token may hand it out. */
    static final byte FREE = 0;

    /** In a cache, or a box's or an arena's. */
    static final byte OUT = 1;

    /** A raw block, which {@code free} takes. */
    static final byte RAW = 2;

    /** In a hardened heap: a box's or an arena's. */
    static final byte OWNED = 3;

    private static final int RECIPROCAL_BITS = 40;

    private static final VarHandle FREED;
    private static final VarHandle STATE = MethodHandles.arrayElementVarHandle(byte[].class);
    private static final VarHandle EIGHT_STATES =
            MethodHandles.byteArrayViewVarHandle(long[].class, java.nio.ByteOrder.nativeOrder());

    static {
        try {
            FREED = MethodHandles.lookup().findVarHandle(Slab.class, "freed", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Address of the first block. */
    final long first;

    /** From block to block. */
    final int stride;

    /** Of each block. */
    final byte[] states;

    final int sizeClass;

    private final long reciprocal;
    private final Range range;
    private final long address;
    private final int granules;

    private final Bin bin;

    /** Where it stands in its bin. */
    private final int place;

    /** In a hardened heap: the bytes asked for of each block. */
    private final int @Nullable [] guardedBytes;

    private int freed;

    // Under the token:
    private int cursor;
    private int fresh; // blocks from here on were never handed out

    private int idleVisits;

    /**
     * Whether blocks have come back since the last visit, or before it and their pages are kept.
     */
    private volatile boolean stirred;

    private volatile boolean discardable;

    /**
     * All of it free, the token held by the caller.
     *
     * @param address of the granules, in {@code range}
     */
    Slab(
            Bin bin,
            int place,
            SlabShape shape,
            Range range,
            long address,
            byte[] states,
            int @Nullable [] guardedBytes) {
        this.bin = bin;
        this.place = place;
        this.first = address + shape.lead();
        this.stride = shape.stride();
        this.reciprocal = (1L << RECIPROCAL_BITS) / stride + 1;
        this.states = states;
        this.sizeClass = shape.sizeClass();
        this.range = range;
        this.address = address;
        this.granules = shape.granules();
        this.guardedBytes = guardedBytes;
        this.freed = states.length;
        this.fresh = range.isZeroed() ? 0 : states.length;
    }

    Bin bin() {
        return bin;
    }

    int place() {
        return place;
    }

    Range range() {
        return range;
    }

    /** Of the granules. */
    long address() {
        return address;
    }

    int granules() {
        return granules;
    }

    /** What its blocks take from the range. */
    long bytes() {
        return (long) granules * Range.GRANULE_BYTES;
    }

    /** Of all its blocks together. */
    long blockBytes() {
        return (long) states.length * SizeClasses.bytes(sizeClass);
    }

    int blocks() {
        return states.length;
    }

    /**
     * The number of the block that starts at an address, or -1 when none does.
     *
     * <p>The product with the reciprocal gives the quotient exactly where there is no remainder,
     * and the offset is below 2^40 as in any slab; whatever it gives otherwise, the test refuses.
     */
    int indexOf(long block) {
        long offset = block - first;
        int index = (int) (offset * reciprocal >>> RECIPROCAL_BITS);
        // Unsigned, as the check of an array access is: so the JIT does it once.
        return Integer.compareUnsigned(index, states.length) < 0 && (long) index * stride == offset
                ? index
                : -1;
    }

    /** The start of the block that a byte lies in; 0 when it lies in none. */
    long startOf(long byteAddress) {
        long index = Math.floorDiv(byteAddress - first, (long) stride);
        return index >= 0 && index < states.length ? blockAt((int) index) : 0;
    }

    long blockAt(int index) {
        return first + (long) index * stride;
    }

    /** How many blocks are free, for a look from outside. */
    int freeBlocks() {
        return (int) FREED.getAcquire(this);
    }

    /**
     * Moves free blocks onto a magazine of the caller, who holds the token and gives it up by
     * {@link #taken}. They will be popped in the order of their addresses, those that were never
     * used last.
     *
     * @return how many
     */
    int take(long[] magazine, int wanted) {
        int free = freeBlocks();
        int count = Math.min(wanted, free);
        int reusable = Math.min(count, free - (states.length - fresh));
        int top = Magazine.FIRST + (int) magazine[Magazine.SIZE] + count;
        for (int i = 0; i < count; i++) {
            magazine[--top] = i < reusable ? reuse() : useFirst();
        }
        magazine[Magazine.SIZE] += count;
        idleVisits = 0;
        return count;
    }

    /** Takes one block, as {@link #take} does. */
    long takeOne() {
        idleVisits = 0;
        return freeBlocks() > states.length - fresh ? reuse() : useFirst();
    }

    /**
     * The token's holder gives it up, having taken {@code count} blocks, at least 1.
     *
     * @return how many were free before: when more than {@code count}, the caller offers the token
     */
    int taken(int count) {
        return (int) FREED.getAndAdd(this, -count);
    }

    /** A block is free again; {@link #given} must follow. */
    void give(int index) {
        STATE.setRelease(states, index, FREE);
    }

    /**
     * Counts blocks that {@link #give} has made free, at least 1.
     *
     * @return how many were free before: when none, the caller offers the token
     */
    int given(int count) {
        stirred = true;
        return (int) FREED.getAndAdd(this, count);
    }

    // ---- in a hardened heap -------------------------------------------------------------------

    /** The holder of a block makes it live. */
    void guard(int index, int bytes, byte state) {
        guardedBytes[index] = bytes;
        STATE.setRelease(states, index, state);
    }

    /** The state of a block now. */
    byte stateOf(int index) {
        return (byte) STATE.getAcquire(states, index);
    }

    /** What {@link #guard} was told. */
    int guardedBytes(int index) {
        return guardedBytes[index];
    }

    /** Ends a live block of that state: true for one of those who try. */
    boolean end(int index, byte state) {
        return STATE.compareAndSet(states, index, state, OUT);
    }

    /** Ends a live block: for every one of those who try in the same instant. */
    void endPlainly(int index) {
        STATE.setRelease(states, index, OUT);
    }

    /** Gives a live block of one state another: true for one of those who try. */
    boolean change(int index, byte from, byte to) {
        return STATE.compareAndSet(states, index, from, to);
    }

    // ---- visits -------------------------------------------------------------------------------

    /** Whether all blocks are free; certain only under the token. */
    boolean isIdle() {
        return freeBlocks() == states.length;
    }

    /**
     * Whether a visit by the trim thread, without the token, finds that there is something to do.
     */
    boolean isWorthVisiting() {
        if (stirred) {
            stirred = false;
            discardable = true;
            return false;
        }
        return discardable || isIdle();
    }

    /** Under the token: whether this visit in a row, not the first, has found it idle. */
    boolean staysIdle() {
        return isIdle() && ++idleVisits > 1;
    }

    /**
     * Under the token: gives the frames of pages to the system that hold free blocks alone, if any
     * have come back since the last time.
     */
    void discardFreePages(ChunkSource source) {
        if (!stirred && !discardable) {
            return;
        }
        stirred = false;
        discardable = false;
        int from = 0;
        while (from < fresh) {
            if (stateOf(from) != FREE) {
                from++;
                continue;
            }
            int to = from + 1;
            while (to < fresh && stateOf(to) == FREE) {
                to++;
            }
            discard(source, from, to);
            from = to;
        }
    }

    private void discard(ChunkSource source, int from, int to) {
        long page = source.pageBytes();
        long start = blockAt(from) + page - 1 & -page;
        long bytes = (blockAt(to) & -page) - start;
        if (bytes > 0) {
            source.discard(start, bytes);
        }
    }

    private long reuse() {
        int index = findFree(cursor, fresh);
        if (index < 0) {
            index = findFree(0, cursor);
        }
        cursor = index + 1;
        STATE.setOpaque(states, index, OUT);
        return blockAt(index);
    }

    private long useFirst() {
        int index = fresh++;
        STATE.setOpaque(states, index, OUT);
        return blockAt(index) | Magazine.ZEROED;
    }

    /** The first free block of a part, or -1; eight states at a time where none is free. */
    private int findFree(int from, int to) {
        int index = from;
        while (index < to) {
            if (index + 8 <= to && !hasZero((long) EIGHT_STATES.get(states, index))) {
                index += 8;
            } else if (stateOf(index) == FREE) {
                return index;
            } else {
                index++;
            }
        }
        return -1;
    }

    /** Whether one of the eight bytes is 0. */
    private static boolean hasZero(long bytes) {
        return (bytes - 0x0101010101010101L & ~bytes & 0x8080808080808080L) != 0;
    }
}
