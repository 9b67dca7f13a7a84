package dev.kernelalloc.core;

import org.jspecify.annotations.Nullable;

import java.util.Spliterator;
import java.util.function.Consumer;

/** Elements that any thread may read by index, in their order, split by halves. */
public final class IndexSpliterator<T> implements Spliterator<T> {

    /** The elements, and what guards a read of them. */
    public interface Elements<T> {

        /** Calls an action for each element from one index to before another. */
        void forEach(long from, long to, Consumer<? super T> action);
    }

    private final Elements<T> elements;
    private long next;
    private final long end;

    /** Creates a spliterator of the elements from one index to before another. */
    public IndexSpliterator(Elements<T> elements, long from, long to) {
        this.elements = elements;
        this.next = from;
        this.end = to;
    }

    @Override
    public boolean tryAdvance(Consumer<? super T> action) {
        if (next == end) {
            return false;
        }
        long one = next++;
        elements.forEach(one, one + 1, action);
        return true;
    }

    /** As one read: under one lease, in one loop that the JIT compiles for the type. */
    @Override
    public void forEachRemaining(Consumer<? super T> action) {
        long first = next;
        next = end;
        if (first < end) {
            elements.forEach(first, end, action);
        }
    }

    @Override
    public @Nullable Spliterator<T> trySplit() {
        long first = next;
        long middle = first + end >>> 1;
        if (middle == first) {
            return null;
        }
        next = middle;
        return new IndexSpliterator<>(elements, first, middle);
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
