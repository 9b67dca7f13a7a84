package dev.kernelalloc.primitive;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Sorts numbers in place, by American flag sort (McIlroy, Bostic, McIlroy, 1993): elements are
 * counted by the highest byte of their key, permuted into 256 buckets, and each bucket is sorted by
 * the next byte. Short buckets are sorted by {@link Arrays#sort(long[])}, as keys on the Java heap.
 * So the time is linear for any input; the memory is that of a short bucket, and of two tables of
 * 256 counters for each byte of an element. No access depends on what the elements are, so that
 * another thread that writes to them meanwhile spoils the order alone.
 */
final class RadixSort {

    private static final int BUCKETS = 256;

    /** The length of a short bucket: 32 KiB of keys. */
    private static final int SHORT = 4096;

    /** The places of the buckets of one byte. */
    private record Places(long[] next, long[] end) {
        static Places create() {
            return new Places(new long[BUCKETS], new long[BUCKETS]);
        }
    }

    private final NumberFormat format;
    private final MemorySegment memory;
    private final @Nullable Places[] places;
    private final long[] keys;

    private RadixSort(NumberFormat format, MemorySegment memory, long length) {
        this.format = format;
        this.memory = memory;
        this.places = new Places[format.byteSize()];
        this.keys = new long[(int) Math.min(length, SHORT)];
    }

    static void sort(NumberFormat format, MemorySegment memory, long length) {
        RadixSort sort = new RadixSort(format, memory, length);
        sort.sort(0, sort.moveNaNsBehind(length), format.byteSize() - 1);
    }

    /** Moves every NaN behind the other elements, and returns how many others there are. */
    private long moveNaNsBehind(long length) {
        if (!format.floating()) {
            return length;
        }
        long end = length;
        for (long i = length - 1; i >= 0; i--) {
            long bits = format.bits(memory, i);
            if (format.isNaN(bits)) {
                end--;
                format.bits(memory, i, format.bits(memory, end));
                format.bits(memory, end, bits);
            }
        }
        return end;
    }

    /** Sorts elements whose keys agree in the bytes above {@code digit}. */
    private void sort(long from, long to, int digit) {
        if (to - from <= SHORT) {
            sortKeys(from, (int) (to - from));
            return;
        }
        Places here = places[digit];
        if (here == null) {
            here = Places.create();
            places[digit] = here;
        }
        count(here, from, to, digit);
        permute(here, digit);
        if (digit == 0) {
            return;
        }
        long start = from;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            long end = here.end[bucket];
            if (end - start > 1) {
                sort(start, end, digit - 1); // by tables of its own
            }
            start = end;
        }
    }

    private void sortKeys(long from, int length) {
        for (int i = 0; i < length; i++) {
            keys[i] = format.key(format.bits(memory, from + i));
        }
        Arrays.sort(keys, 0, length);
        for (int i = 0; i < length; i++) {
            format.bits(memory, from + i, format.key(keys[i]));
        }
    }

    private int bucket(long bits, int digit) {
        // The sign is the highest bit of the element's own bytes.
        int shift = Long.SIZE - Byte.SIZE * (format.byteSize() - digit);
        long key = format.key(bits << Long.SIZE - Byte.SIZE * format.byteSize());
        return (int) ((key ^ Long.MIN_VALUE) >>> shift) & BUCKETS - 1;
    }

    /** Computes where each bucket begins and ends. */
    private void count(Places here, long from, long to, int digit) {
        long[] counts = here.end;
        Arrays.fill(counts, 0);
        for (long i = from; i < to; i++) {
            counts[bucket(format.bits(memory, i), digit)]++;
        }
        long at = from;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            here.next[bucket] = at;
            at += counts[bucket];
            counts[bucket] = at;
        }
    }

    /**
     * Follows each cycle of the permutation: every element moves once, to its place. A bucket is
     * full before its time only if another thread has written since the elements were counted; an
     * element that is left over then fills the place where its cycle began.
     */
    private void permute(Places here, int digit) {
        long[] nexts = here.next;
        long[] ends = here.end;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            while (nexts[bucket] < ends[bucket]) {
                long place = nexts[bucket];
                long bits = format.bits(memory, place);
                int wanted = bucket(bits, digit);
                while (wanted != bucket) {
                    long next = nexts[wanted];
                    if (next == ends[wanted]) {
                        break;
                    }
                    nexts[wanted] = next + 1;
                    long displaced = format.bits(memory, next);
                    format.bits(memory, next, bits);
                    bits = displaced;
                    wanted = bucket(bits, digit);
                }
                format.bits(memory, place, bits);
                nexts[bucket]++;
            }
        }
    }
}
