package dev.kernelalloc;

import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * A value in native memory, and the owner of that memory.
 *
 * <p>A box belongs to the thread that made it: another thread's access, through the box, its view
 * or its segment, throws {@link WrongThreadException}. After {@link #close} every access throws
 * {@link IllegalStateException}. So a box cannot be used after it is freed, and it is freed once.
 *
 * <p>A box whose thread has died cannot be closed any more: its block stays alive, and is counted
 * as such by its allocator; where it is {@linkplain Tracking tracked}, it is reported too. {@link
 * #detach} before, or a {@link SharedBox}, is for memory that outlives a thread.
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
    @SuppressWarnings("unchecked") // a box of the type
    static <T> NativeBox<T> zeroed(KernelAllocator allocator, StructType<T> type) {
        try {
            return (NativeBox<T>) (ConfinedBox<?>) BoxMaker.ZEROED.invokeExact(allocator, type);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
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
    @SuppressWarnings("unchecked") // a box of the type
    static <T> NativeBox<T> uninitialized(KernelAllocator allocator, StructType<T> type) {
        try {
            return (NativeBox<T>)
                    (ConfinedBox<?>) BoxMaker.UNINITIALIZED.invokeExact(allocator, type);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
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

    // ---- with a flexible array ----------------------------------------------------------------

    /**
     * A box of zeros, of a struct that ends with a {@linkplain dev.kernelalloc.struct.Flexible
     * flexible} array. The view has as many elements as the box has room for: more than asked for
     * where the alignment of the struct leaves some.
     *
     * @param <T> the type in the box
     * @param allocator where the memory comes from, and goes back to
     * @param type what the memory looks like
     * @param elements of the array
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalArgumentException when {@code elements} is negative, or the size overflows
     * @throws IllegalStateException when the allocator is closed
     * @throws UnsupportedOperationException when the struct has no flexible array
     */
    static <T> NativeBox<T> zeroed(KernelAllocator allocator, StructType<T> type, long elements) {
        return ConfinedBox.flexible(allocator, type, elements, true);
    }

    /**
     * The same with undefined contents.
     *
     * @param <T> the type in the box
     * @param allocator where the memory comes from, and goes back to
     * @param type what the memory looks like
     * @param elements of the array
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalArgumentException when {@code elements} is negative, or the size overflows
     * @throws IllegalStateException when the allocator is closed
     * @throws UnsupportedOperationException when the struct has no flexible array
     */
    static <T> NativeBox<T> uninitialized(
            KernelAllocator allocator, StructType<T> type, long elements) {
        return ConfinedBox.flexible(allocator, type, elements, false);
    }

    /**
     * A box of zeros with a flexible array, in memory of the {@linkplain KernelAllocator#global
     * global} allocator.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @param elements of the array
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalArgumentException when {@code elements} is negative, or the size overflows
     * @throws UnsupportedOperationException when the struct has no flexible array
     */
    static <T> NativeBox<T> zeroed(StructType<T> type, long elements) {
        return zeroed(KernelAllocator.global(), type, elements);
    }

    /**
     * The same with undefined contents.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @param elements of the array
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalArgumentException when {@code elements} is negative, or the size overflows
     * @throws UnsupportedOperationException when the struct has no flexible array
     */
    static <T> NativeBox<T> uninitialized(StructType<T> type, long elements) {
        return uninitialized(KernelAllocator.global(), type, elements);
    }

    // ---- memory that is there already ---------------------------------------------------------

    /**
     * A box that owns a raw block from now on: {@link KernelAllocator#free} refuses the block, and
     * its segment must not be used any more. {@link #release} is the way back.
     *
     * @param <T> the type in the box
     * @param allocator whose live raw block it is
     * @param type what the memory looks like
     * @param block of the size and alignment of the type; when it is read-only the box is
     * @return a box of the calling thread
     * @throws IllegalArgumentException when the segment has another size or alignment, is not in
     *     the global scope, or starts at no live raw block of that allocator with room for the
     *     type; nothing has changed then
     */
    static <T> NativeBox<T> adopt(
            KernelAllocator allocator, StructType<T> type, MemorySegment block) {
        return ConfinedBox.adopt(allocator, type, 0, type.byteSize(), block);
    }

    /**
     * The same for a struct that ends with a flexible array.
     *
     * @param <T> the type in the box
     * @param allocator whose live raw block it is
     * @param type what the memory looks like
     * @param elements of the array
     * @param block of the size {@link StructType#byteSize(long)} says, and of the alignment of the
     *     type; when it is read-only the box is
     * @return a box of the calling thread
     * @throws IllegalArgumentException as without elements, or when {@code elements} is negative
     * @throws UnsupportedOperationException when the struct has no flexible array
     */
    static <T> NativeBox<T> adopt(
            KernelAllocator allocator, StructType<T> type, long elements, MemorySegment block) {
        return ConfinedBox.adopt(allocator, type, elements, type.byteSize(elements), block);
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
        return ConfinedBox.adopt(type, 0, type.byteSize(), segment, release);
    }

    /**
     * The same for a struct that ends with a flexible array.
     *
     * @param <T> the type in the box
     * @param type what the memory looks like
     * @param elements of the array
     * @param segment of the size {@link StructType#byteSize(long)} says; otherwise as without
     *     elements
     * @param release gives the memory back
     * @return a box of the calling thread
     * @throws IllegalArgumentException as without elements, or when {@code elements} is negative
     * @throws UnsupportedOperationException when the struct has no flexible array
     */
    static <T> NativeBox<T> adopt(
            StructType<T> type,
            long elements,
            MemorySegment segment,
            Consumer<MemorySegment> release) {
        return ConfinedBox.adopt(type, elements, type.byteSize(elements), segment, release);
    }

    // ---- the value ----------------------------------------------------------------------------

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
     * Reads the value, and writes what a function makes of it.
     *
     * @param function gets the value, and returns another or the same; what it throws is thrown on
     * @throws IllegalStateException when this box is closed
     * @throws WrongThreadException when called by another thread
     */
    void update(UnaryOperator<T> function);

    /**
     * Exchanges the contents of two boxes, which keep their memory.
     *
     * @param other of the same struct, with as many elements in its flexible array
     * @throws IllegalArgumentException when it is not, or one of the boxes is read-only
     * @throws IllegalStateException when one of the boxes is closed
     * @throws WrongThreadException when one of the boxes is another thread's
     */
    void swap(NativeBox<T> other);

    /**
     * A box of the same bytes in memory of the same allocator; of the {@linkplain
     * KernelAllocator#global global} one where the memory came from outside the library.
     *
     * @return a box of the calling thread, which can be written
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when this box or its allocator is closed
     * @throws WrongThreadException when called by another thread
     */
    NativeBox<T> copy();

    /**
     * A box of the same bytes in memory of another allocator.
     *
     * @param allocator where the memory of the copy comes from
     * @return a box of the calling thread, which can be written
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when this box or that allocator is closed
     * @throws WrongThreadException when called by another thread
     */
    NativeBox<T> copy(KernelAllocator allocator);

    /**
     * A {@link #copy} that was {@linkplain #update updated}; this box stays as it is.
     *
     * @param function gets the value of the copy, and returns another or the same; what it throws
     *     is thrown on, and no box is left behind
     * @return a box of the calling thread
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when this box or its allocator is closed
     * @throws WrongThreadException when called by another thread
     */
    NativeBox<T> map(UnaryOperator<T> function);

    /**
     * What the memory looks like.
     *
     * @return the type this box was made with
     */
    StructType<T> type();

    /**
     * The memory: as large as the type, with its elements, and dead when this box is closed.
     *
     * @return a segment confined to the thread of this box
     */
    MemorySegment segment();

    /**
     * The number of elements in the flexible array at the end of the struct, as asked for.
     *
     * @return 0 for a struct without
     */
    long elements();

    /**
     * The pieces of physical memory that the value lies in, in its order; those that touch are one.
     * As known since the memory was prepared: see {@link PhysicalAllocator#extents(MemorySegment)},
     * which also splits them as devices want it.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException when the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalStateException when this box is closed
     * @throws WrongThreadException when called by another thread
     */
    List<PhysicalExtent> extents();

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Ends this box, its views and its segment, and leaves the memory to the caller: as a raw block
     * of its allocator, to be {@linkplain KernelAllocator#free freed} or {@linkplain #adopt
     * adopted} again; of an adopted box with a release function, which is not called, as the
     * segment that it was adopted with.
     *
     * @return a segment of the global scope
     * @throws IllegalStateException when this box is closed already, or a downcall is using the
     *     segment; nothing has changed then
     * @throws WrongThreadException when called by another thread
     */
    MemorySegment release();

    /**
     * Ends this box, its views and its segment, and keeps the memory for the thread that attaches
     * the hand-off.
     *
     * @return a hand-off, to be attached, shared or discarded
     * @throws IllegalStateException when this box is closed already, or a downcall is using the
     *     segment; nothing has changed then
     * @throws WrongThreadException when called by another thread
     */
    Handoff<T> detach();

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
