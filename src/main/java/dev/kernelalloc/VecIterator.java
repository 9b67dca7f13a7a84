package dev.kernelalloc;

import java.util.Iterator;
import java.util.NoSuchElementException;

/** The elements of a vec in their order, as long as none is added or removed. */
final class VecIterator<T> implements Iterator<T> {

    private final NativeVec<T> elements;
    private final int changes;
    private final long size;
    private long next;

    VecIterator(NativeVec<T> elements) {
        this.elements = elements;
        this.changes = elements.changes;
        this.size = elements.size();
    }

    @Override
    public boolean hasNext() {
        elements.requireAccess();
        elements.requireUnchanged(changes, size);
        return next < size;
    }

    @Override
    public T next() {
        elements.requireUnchanged(changes, size);
        if (next == size) {
            throw new NoSuchElementException();
        }
        return elements.get(next++);
    }
}
