package dev.kernelalloc.heap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A stack of free blocks of one class, as one flat array: thread caches are made of these, and the
 * depot exchanges them whole (Bonwick and Adams, <i>Magazines and Vmem</i>, 2001).
 *
 * <p>{@code [0, 7)} is padding, {@code [7]} the number of blocks, {@code [8, 8 + capacity)} the
 * blocks, and eight more are padding: two magazines that two threads use do not share a cache line,
 * wherever the collector puts them. A block is its address; the lowest bit, which no address has,
 * says that it was never used since its memory was zeros.
 *
 * <p>The owner reads and writes plainly: a store to an array of longs cannot fail halfway. Others
 * only look at the number of blocks.
 */
final class Magazine {

    /** Set in a block whose memory is zeros. */
    static final long ZEROED = 1;

    /** Where the number of blocks stands: just below the first. */
    static final int SIZE = 7;

    /** Where the first block stands. */
    static final int FIRST = 8;

    /** All elements that are not blocks. */
    static final int OVERHEAD = 16;

    /** Of no blocks and for none: neither push nor pop succeeds. */
    static final long[] NONE = new long[OVERHEAD];

    private static final VarHandle ELEMENT = MethodHandles.arrayElementVarHandle(long[].class);

    private Magazine() {}

    static long[] make(int capacity) {
        return new long[OVERHEAD + capacity];
    }

    static int capacity(long[] magazine) {
        return magazine.length - OVERHEAD;
    }

    /** The number of blocks, also for a thread that does not own the magazine. */
    static int size(long[] magazine) {
        return (int) (long) ELEMENT.getOpaque(magazine, SIZE);
    }

    static boolean isEmpty(long[] magazine) {
        return magazine[SIZE] == 0;
    }

    static boolean isFull(long[] magazine) {
        return magazine[SIZE] == capacity(magazine);
    }

    /** The block on top, or 0: where there is none, the number of blocks stands in its place. */
    static long pop(long[] magazine) {
        int size = (int) magazine[SIZE];
        long block = magazine[SIZE + size];
        if (block != 0) {
            magazine[SIZE] = size - 1;
        }
        return block;
    }

    /** Whether there was room. */
    static boolean push(long[] magazine, long block) {
        int size = (int) magazine[SIZE];
        if (size >= capacity(magazine)) {
            return false;
        }
        magazine[FIRST + size] = block;
        magazine[SIZE] = size + 1;
        return true;
    }
}
