package dev.kernelalloc;

import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * A value in native memory, and the owner of that memory.
 *
 * <p>A box belongs to the thread that made it: another thread's access, through the box, its view
 * or its segment, throws {@link WrongThreadException}. After {@link #close} every access throws
 * {@link IllegalStateException}. So a box cannot be used after it is freed, and it is freed once.
 *
 * {@snippet lang = java :
 * try (NativeBox<Point> box = NativeBox.of(POINT, new Point(1, 2))) {
 *     box.set(new Point(box.get().x(), 3));
 * }
 * }
 *
 * @param <T> what lies in the memory: a record, copied in and out; an interface, whose instances
 *     are live views of the memory; or {@link MemorySegment} for a bare layout
 */
public sealed interface NativeBox<T> extends AutoCloseable permits ConfinedBox {

    /**
     * A box of a value.
     *
     * @param <T> the type in the box
     * @param allocator where the memory comes from, and goes back to
     * @param type what the memory looks like
     * @param value to be copied into it
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator is closed
     */
    static <T> NativeBox<T> of(KernelAllocator allocator, StructType<T> type, T value) {
        return ConfinedBox.of(allocator, type, value);
    }

    /**
     * A box of zeros.
     *
     * @param <T> the type in the box
     * @param allocator where the memory comes from, and goes back to
     * @param type what the memory looks like
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator is closed
     */
    static <T> NativeBox<T> zeroed(KernelAllocator allocator, StructType<T> type) {
        return ConfinedBox.zeroed(allocator, type);
    }

    /**
     * A box whose contents are undefined until they are written.
     *
     * @param <T> the type in the box
     * @param allocator where the memory comes from, and goes back to
     * @param type what the memory looks like
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator is closed
     */
    static <T> NativeBox<T> uninitialized(KernelAllocator allocator, StructType<T> type) {
        return ConfinedBox.uninitialized(allocator, type);
    }

    /**
     * A box of a value in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @param value to be copied into it
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     */
    static <T> NativeBox<T> of(StructType<T> type, T value) {
        return of(KernelAllocator.global(), type, value);
    }

    /**
     * A box of zeros in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     */
    static <T> NativeBox<T> zeroed(StructType<T> type) {
        return zeroed(KernelAllocator.global(), type);
    }

    /**
     * A box of undefined contents in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     */
    static <T> NativeBox<T> uninitialized(StructType<T> type) {
        return uninitialized(KernelAllocator.global(), type);
    }

    /**
     * A box that owns memory which came from elsewhere, from C for example, until it is closed:
     * then {@code release} is called with {@code segment}, once, and what it throws is thrown by
     * {@link #close}.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @param segment the memory: native, of the size and alignment of the type, and in a scope that
     *     cannot be closed, so that it lives until {@code release}; when it is read-only the box is
     * @param release gives the memory back
     * @return a box of the calling thread
     * @throws IllegalArgumentException when the segment is none of that; the message names both
     *     values
     */
    static <T> NativeBox<T> adopt(
            StructType<T> type, MemorySegment segment, Consumer<MemorySegment> release) {
        return ConfinedBox.adopt(type, segment, release);
    }

    /**
     * The value: a copy when the type is a record; a live view when it is an interface, whose
     * methods throw what is said here when they are called.
     *
     * @return the value
     * @throws IllegalStateException when this box is closed
     * @throws WrongThreadException when called by another thread
     */
    T get();

    /**
     * Copies a value into the box.
     *
     * @param value of a record; or a view, whose bytes are copied
     * @throws IllegalStateException when this box is closed
     * @throws WrongThreadException when called by another thread
     */
    void set(T value);

    /**
     * What the memory looks like.
     *
     * @return the type this box was made with
     */
    StructType<T> type();

    /**
     * The memory: as large as the type, and dead when this box is closed.
     *
     * @return a segment confined to the thread of this box
     */
    MemorySegment segment();

    /**
     * Ends this box, its views and its segment, and gives the memory back. What the release
     * function of an adopted box throws is thrown on, after the box has ended.
     *
     * @throws IllegalStateException when it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException when called by another thread
     */
    @Override
    void close();
}
