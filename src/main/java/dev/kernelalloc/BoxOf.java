package dev.kernelalloc;

import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;

/**
 * A box of one thread. Copied by {@link CopyPerType}; a record, because the JIT trusts the final
 * fields of records, also of the original.
 *
 * <p>What is called often stands here and not in the interface, which all copies share. {@link
 * #get} makes a view each time: its class is known here, so the view seldom comes into being.
 */
record BoxOf<T>(StructType<T> type, Arena lifetime, MemorySegment segment, Origin origin)
        implements ConfinedBox<T>, BoxMaker {

    private static final @Nullable StructType<?> TYPE = CopyPerType.typeOf(MethodHandles.lookup());

    @Override
    @SuppressWarnings("unchecked") // a copy for T
    public StructType<T> type() {
        return TYPE == null ? type : (StructType<T>) TYPE;
    }

    @Override
    public T get() {
        return type().get(segment);
    }

    @Override
    public void set(T value) {
        type().set(segment, value);
    }

    @Override
    public void close() {
        lifetime.close();
        origin.freeOwned(segment.address(), type().byteSize(), type().byteAlignment());
    }

    @Override
    public <U> ConfinedBox<U> make(
            StructType<U> type, Arena lifetime, MemorySegment segment, Origin origin) {
        return new BoxOf<>(type, lifetime, segment, origin); // in a copy: the copy
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
