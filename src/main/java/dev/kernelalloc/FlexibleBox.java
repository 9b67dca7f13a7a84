package dev.kernelalloc;

import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A box of one thread whose struct ends with a flexible array: it is larger than its type. A kind
 * of its own, so that the others need not ask.
 */
record FlexibleBox<T>(
        StructType<T> type, Arena lifetime, MemorySegment segment, Origin origin, long elements)
        implements ConfinedBox<T> {

    @Override
    public T get() {
        return type.get(segment);
    }

    @Override
    public void set(T value) {
        type.set(segment, value);
    }

    @Override
    public void close() {
        lifetime.close();
        origin.freeOwned(segment.address(), segment.byteSize(), type.byteAlignment());
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return describe();
    }
}
