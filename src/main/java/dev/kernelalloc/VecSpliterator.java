package dev.kernelalloc;

import java.util.Spliterator;
import java.util.function.Consumer;

/** The elements of a vec in their order, as long as none is added or removed. */
final class VecSpliterator<T> implements Spliterator<T> {

    private final NativeVec<T> elements;
    private final int changes;
    private final long size;
    private long next;

    VecSpliterator(NativeVec<T> elements) {
        this.elements = elements;
        this.changes = elements.changes;
        this.size = elements.size();
    }

    @Override
    public boolean tryAdvance(Consumer<? super T> action) {
        elements.requireUnchanged(changes, size);
        if (next == size) {
            return false;
        }
        action.accept(elements.get(next++));
        return true;
    }

    /** Only a parallel stream asks. */
    @Override
    public Spliterator<T> trySplit() {
        throw ElementSpliterator.confined();
    }

    @Override
    public long estimateSize() {
        return size - next;
    }

    @Override
    public int characteristics() {
        return ORDERED | SIZED | SUBSIZED | NONNULL;
    }
}
