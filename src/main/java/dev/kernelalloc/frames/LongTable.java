package dev.kernelalloc.frames;

import java.util.Arrays;

/**
 * A map of positive numbers to positive numbers, without an object for each. One thread may change
 * it at a time; a reader that runs meanwhile gets any value, and in bounded time.
 *
 * <p>Open addressing with linear probing, at most half full. A removal moves later entries of its
 * cluster up, so no entry is ever unreachable behind a gap.
 */
final class LongTable {

    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    /** Keys at even indices, each followed by its value; 0 for none. */
    private long[] slots = new long[32];

    private int size;

    /** Returns the value of a key; 0 if it has none. */
    long get(long key) {
        long[] now = slots;
        int mask = now.length / 2 - 1;
        int at = slot(key, now);
        for (int probes = 0; probes <= mask; probes++, at = at + 1 & mask) {
            long found = now[2 * at];
            if (found == 0 || found == key) {
                return found == 0 ? 0 : now[2 * at + 1];
            }
        }
        return 0; // only seen by a reader that a writer has overtaken
    }

    /** Gives a key a value, in place of another. */
    void put(long key, long value) {
        if (4 * (size + 1) > slots.length) {
            grow();
        }
        int at = find(key, slots);
        size += slots[2 * at] == 0 ? 1 : 0;
        slots[2 * at + 1] = value;
        slots[2 * at] = key;
    }

    /** Removes a key, unless it has another value. */
    void remove(long key, long value) {
        int hole = find(key, slots);
        if (slots[2 * hole] == 0 || slots[2 * hole + 1] != value) {
            return;
        }
        int mask = slots.length / 2 - 1;
        for (int at = hole + 1 & mask; slots[2 * at] != 0; at = at + 1 & mask) {
            boolean reachesTheHole = (at - slot(slots[2 * at], slots) & mask) >= (at - hole & mask);
            if (reachesTheHole) {
                slots[2 * hole + 1] = slots[2 * at + 1];
                slots[2 * hole] = slots[2 * at];
                hole = at;
            }
        }
        slots[2 * hole] = 0;
        size--;
    }

    /** Removes all, without an object. */
    void clear() {
        Arrays.fill(slots, 0);
        size = 0;
    }

    int size() {
        return size;
    }

    private void grow() {
        long[] larger = new long[2 * slots.length];
        for (int i = 0; i < slots.length; i += 2) {
            if (slots[i] != 0) {
                int at = find(slots[i], larger);
                larger[2 * at] = slots[i];
                larger[2 * at + 1] = slots[i + 1];
            }
        }
        slots = larger;
    }

    /** The slot of a key, or the empty one where it would be. */
    private static int find(long key, long[] slots) {
        int mask = slots.length / 2 - 1;
        int at = slot(key, slots);
        while (slots[2 * at] != 0 && slots[2 * at] != key) {
            at = at + 1 & mask;
        }
        return at;
    }

    private static int slot(long key, long[] slots) {
        return (int) (key * GOLDEN >>> 65 - Integer.numberOfTrailingZeros(slots.length));
    }
}
