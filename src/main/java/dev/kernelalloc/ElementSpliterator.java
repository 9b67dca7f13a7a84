package dev.kernelalloc;

import java.util.Spliterator;
import java.util.function.Consumer;

/** The elements of a slice in their order, for the one thread that they belong to. */
final class ElementSpliterator<T> implements Spliterator<T> {

    private final NativeSlice<T> elements;
    private long next;

    ElementSpliterator(NativeSlice<T> elements) {
        this.elements = elements;
    }

    @Override
    public boolean tryAdvance(Consumer<? super T> action) {
        if (next == elements.length()) {
            return false;
        }
        action.accept(elements.get(next++));
        return true;
    }

    /** The loop of the elements' class, which the JIT compiles for their type. */
    @Override
    public void forEachRemaining(Consumer<? super T> action) {
        if (next == 0) {
            next = elements.length();
            elements.forEach(action);
        } else {
            Spliterator.super.forEachRemaining(action);
        }
    }

    /** Only a parallel stream asks: the parts would be other threads' work. */
    @Override
    public Spliterator<T> trySplit() {
        throw confined();
    }

    @Override
    public long estimateSize() {
        return elements.length() - next;
    }

    @Override
    public int characteristics() {
        return ORDERED | SIZED | SUBSIZED | NONNULL;
    }

    static WrongThreadException confined() {
        return new WrongThreadException(
                "the elements are confined to one thread: a parallel stream cannot reach them."
                        + " Share the array, and stream over a lease; or copy the values first");
    }
}
