package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

import java.util.Spliterator;
import java.util.function.Consumer;

/**
 * The elements of a slice over a segment in their order, for any thread: the segment checks each
 * access.
 */
final class SegmentSpliterator<T> implements Spliterator<T> {

    private final NativeSlice<T> elements;
    private long next;
    private final long end;

    SegmentSpliterator(NativeSlice<T> elements) {
        this(elements, 0, elements.length());
    }

    private SegmentSpliterator(NativeSlice<T> elements, long from, long to) {
        this.elements = elements;
        this.next = from;
        this.end = to;
    }

    @Override
    public boolean tryAdvance(Consumer<? super T> action) {
        if (next == end) {
            return false;
        }
        action.accept(elements.get(next++));
        return true;
    }

    /** The loop of the elements' class, which the JIT compiles for their type. */
    @Override
    public void forEachRemaining(Consumer<? super T> action) {
        long first = next;
        next = end;
        elements.slice(first, end).forEach(action);
    }

    @Override
    public @Nullable Spliterator<T> trySplit() {
        long first = next;
        long middle = first + end >>> 1;
        if (middle == first) {
            return null;
        }
        next = middle;
        return new SegmentSpliterator<>(elements, first, middle);
    }

    @Override
    public long estimateSize() {
        return end - next;
    }

    @Override
    public int characteristics() {
        return ORDERED | SIZED | SUBSIZED | NONNULL;
    }
}
