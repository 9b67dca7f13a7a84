package dev.kernelalloc;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * A box of one thread. Its state of life is that of an arena of its own, which the JIT removes when
 * the box does not escape.
 *
 * <p>There are two kinds, so that the profile of a call of {@link #get}, in the code of the caller,
 * tells the JIT which of the two it is. Both are records, because the JIT trusts the final fields
 * of records.
 */
sealed interface ConfinedBox<T> extends NativeBox<T> {

    /** Bounds the segment. */
    Arena lifetime();

    /** Where the memory goes back to. */
    Origin origin();

    /** A box of live views. The view is made once, with the box. */
    record OfView<T>(
            StructType<T> type, Arena lifetime, MemorySegment segment, T view, Origin origin)
            implements ConfinedBox<T> {

        @Override
        public T get() {
            return view;
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

    /** A box of values that are copied out and in. */
    record OfCopy<T>(StructType<T> type, Arena lifetime, MemorySegment segment, Origin origin)
            implements ConfinedBox<T> {

        @Override
        public T get() {
            return type.get(segment);
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

    static <T> ConfinedBox<T> uninitialized(KernelAllocator allocator, StructType<T> type) {
        CheckedBlocks blocks = CheckedBlocks.of(allocator);
        long bytes = type.byteSize();
        return owning(type, bytes, blocks, blocks.owned(bytes, type.byteAlignment()));
    }

    static <T> ConfinedBox<T> zeroed(KernelAllocator allocator, StructType<T> type) {
        CheckedBlocks blocks = CheckedBlocks.of(allocator);
        long bytes = type.byteSize();
        return owning(type, bytes, blocks, blocks.ownedZeroed(bytes, type.byteAlignment()));
    }

    private static <T> ConfinedBox<T> owning(
            StructType<T> type, long bytes, CheckedBlocks blocks, long address) {
        try {
            Arena lifetime = Arena.ofConfined();
            MemorySegment segment = NativeMemory.segment(address, bytes, lifetime);
            return owning(type, lifetime, segment, blocks);
        } catch (Throwable e) { // all, not only Error: that is less code
            blocks.freeOwned(
                    address, bytes, type.byteAlignment()); // the Java heap or stack is exhausted
            throw e;
        }
    }

    static <T> ConfinedBox<T> of(KernelAllocator allocator, StructType<T> type, T value) {
        ConfinedBox<T> box = uninitialized(allocator, type);
        try {
            box.set(value);
        } catch (RuntimeException | Error e) {
            box.close(); // the value does not fit the type, or its accessor failed
            throw e;
        }
        return box;
    }

    static <T> ConfinedBox<T> adopt(
            StructType<T> type, MemorySegment segment, Consumer<MemorySegment> release) {
        Objects.requireNonNull(release, "release");
        Platform.current(); // explains where native access is denied
        requireFit(type, segment);
        Arena lifetime = Arena.ofConfined();
        MemorySegment owned = NativeMemory.segment(segment.address(), segment.byteSize(), lifetime);
        return owning(
                type,
                lifetime,
                segment.isReadOnly() ? owned.asReadOnly() : owned,
                new Origin.Elsewhere(segment, release));
    }

    /**
     * The view comes before the box, not as its argument: a store into an object that is older than
     * another one needs the collector's barriers, which are more code than all the rest.
     */
    private static <T> ConfinedBox<T> owning(
            StructType<T> type, Arena lifetime, MemorySegment segment, Origin origin) {
        if (type.isView()) {
            T view = type.get(segment);
            return new OfView<>(type, lifetime, segment, view, origin);
        }
        return new OfCopy<>(type, lifetime, segment, origin);
    }

    private static void requireFit(StructType<?> type, MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    segment + " lies in the Java heap: a box needs native memory");
        }
        CheckedBlocks.requireNotNull(segment);
        if (!segment.scope().isAlive()) {
            throw new IllegalArgumentException(segment + " is closed: its memory is gone");
        }
        if (!segment.scope().equals(Arena.global().scope())) {
            throw new IllegalArgumentException(
                    segment
                            + " can be closed by another owner: a box adopts memory that lives"
                            + " until it is released");
        }
        if (segment.byteSize() != type.byteSize()) {
            throw new IllegalArgumentException(
                    "segment of %d bytes, but %s has %d bytes"
                            .formatted(segment.byteSize(), type.type().getName(), type.byteSize()));
        }
        if ((segment.address() & (type.byteAlignment() - 1)) != 0) {
            throw new IllegalArgumentException(
                    "segment at 0x%x, but %s is aligned to %d bytes"
                            .formatted(
                                    segment.address(),
                                    type.type().getName(),
                                    type.byteAlignment()));
        }
    }

    @Override
    default void set(T value) {
        type().set(segment(), value);
    }

    @Override
    default void close() {
        lifetime().close();
        origin().freeOwned(segment().address(), type().byteSize(), type().byteAlignment());
    }

    /** The fields and the place; the place alone once closed, or on another thread. */
    default String describe() {
        String place = "at 0x%x, %d bytes".formatted(segment().address(), segment().byteSize());
        if (!segment().scope().isAlive()) {
            return "NativeBox[%s, closed, was %s]".formatted(type().type().getSimpleName(), place);
        }
        if (!segment().isAccessibleBy(Thread.currentThread())) {
            return "NativeBox[%s of another thread, %s]"
                    .formatted(type().type().getSimpleName(), place);
        }
        return "NativeBox[%s, %s]".formatted(type().toString(segment()), place);
    }
}
