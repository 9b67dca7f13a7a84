package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

import java.util.AbstractList;
import java.util.Comparator;
import java.util.RandomAccess;
import java.util.Spliterator;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** The elements of a slice as a list of their number. */
final class ElementList<T> extends AbstractList<T> implements RandomAccess {

    private final NativeSlice<T> elements;
    private final int size;

    ElementList(NativeSlice<T> elements, int size) {
        this.elements = elements;
        this.size = size;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public T get(int index) {
        return elements.get(index);
    }

    /** Not of live views: the one returned would show what has replaced it. */
    @Override
    public T set(int index, T value) {
        if (elements.type().isView()) {
            throw new UnsupportedOperationException(
                    "elements are live views: write through them, or set one in the array itself");
        }
        T old = elements.get(index);
        elements.set(index, value);
        return old;
    }

    @Override
    public void forEach(Consumer<? super T> action) {
        elements.forEach(action);
    }

    @Override
    public void replaceAll(UnaryOperator<T> operator) {
        elements.guard().enter();
        try {
            for (int i = 0; i < size; i++) {
                set(i, operator.apply(get(i)));
            }
        } finally {
            elements.guard().exit();
        }
    }

    /** Returns the listed elements. */
    NativeSlice<T> elements() {
        return elements;
    }

    /** In the memory: what a list does otherwise, with an array of views, would mix them up. */
    @Override
    @SuppressWarnings("unchecked") // without an order they must be comparable with each other
    public void sort(@Nullable Comparator<? super T> order) {
        elements.sort(order == null ? (Comparator<? super T>) Comparator.naturalOrder() : order);
    }

    @Override
    public Spliterator<T> spliterator() {
        return elements.spliterator();
    }
}
