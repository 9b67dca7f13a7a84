package dev.kernelalloc;

import java.util.Iterator;
import java.util.NoSuchElementException;

/** The elements of a slice in their order, each read when it is asked for. */
final class ElementIterator<T> implements Iterator<T> {

    private final NativeSlice<T> elements;
    private long next;

    ElementIterator(NativeSlice<T> elements) {
        this.elements = elements;
    }

    @Override
    public boolean hasNext() {
        return next < elements.length();
    }

    @Override
    public T next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return elements.get(next++);
    }
}
