package dev.kernelalloc.core;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.util.Comparator;

/**
 * Sorts elements where they lie, stably, with room beside them for half of them.
 *
 * <p>A comparator may throw at any time, but cannot end or move the elements. So none is called
 * while an element is missing: an element is moved when its place is known, and a merge that ends
 * early puts the rest of its left half back into the gap, which is as large.
 */
public final class MergeSort<T> {

    /** Runs so short are sorted by moving each element to its place. */
    private static final int RUN = 8;

    private final StructType<T> type;
    private final long stride;
    private final MemorySegment elements;
    private final MemorySegment room;
    private final Comparator<? super T> order;

    private MergeSort(
            StructType<T> type,
            long stride,
            MemorySegment elements,
            MemorySegment room,
            Comparator<? super T> order) {
        this.type = type;
        this.stride = stride;
        this.elements = elements;
        this.room = room;
        this.order = order;
    }

    /**
     * Sorts the elements of a segment.
     *
     * @param length the number of elements
     * @param guard refuses changes to the owner of the elements during the sort
     * @param blocks supply the room
     */
    public static <T> void sort(
            StructType<T> type,
            MemorySegment elements,
            long length,
            ChangeGuard guard,
            CheckedBlocks blocks,
            Comparator<? super T> order) {
        if (length < 2) {
            return;
        }
        long stride = Alignment.up(type.byteSize(), type.byteAlignment());
        OwnedBlock room =
                OwnedBlock.allocate(blocks, length / 2 * stride, type.byteAlignment(), false);
        try {
            guard.enter();
            try {
                new MergeSort<>(type, stride, elements, room.segment(), order).sort(0, length);
            } finally {
                guard.exit();
            }
        } finally {
            room.close();
        }
    }

    private void sort(long from, long to) {
        if (to - from <= RUN) {
            insert(from, to);
            return;
        }
        long middle = from + to >>> 1;
        sort(from, middle);
        sort(middle, to);
        if (order.compare(element(middle - 1), element(middle)) > 0) {
            merge(from, middle, to);
        }
    }

    /** Moves each element down to its place among those before it. */
    private void insert(long from, long to) {
        for (long i = from + 1; i < to; i++) {
            long place = i;
            while (place > from && order.compare(element(place - 1), element(i)) > 0) {
                place--;
            }
            if (place < i) {
                copy(elements, i, room, 0, 1);
                copy(elements, place, elements, place + 1, i - place);
                copy(room, 0, elements, place, 1);
            }
        }
    }

    /** The left half makes room for the result, which never reaches what is left of the right. */
    private void merge(long from, long middle, long to) {
        long lefts = middle - from;
        copy(elements, from, room, 0, lefts);
        long left = 0;
        long right = middle;
        long next = from;
        try {
            while (left < lefts && right < to) {
                if (order.compare(type.get(room, left * stride), element(right)) <= 0) {
                    copy(room, left++, elements, next++, 1);
                } else {
                    copy(elements, right++, elements, next++, 1);
                }
            }
        } finally {
            copy(room, left, elements, next, lefts - left);
        }
    }

    private T element(long index) {
        return type.get(elements, index * stride);
    }

    private void copy(MemorySegment from, long first, MemorySegment to, long place, long count) {
        BulkMemory.copy(from, first * stride, to, place * stride, count * stride);
    }
}
