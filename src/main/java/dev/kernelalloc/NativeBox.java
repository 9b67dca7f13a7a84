package dev.kernelalloc;

import dev.kernelalloc.core.CopyPerType;
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
 * <p>A box belongs to the thread that created it: an access by another thread, through the box, its
 * view or its segment, throws {@link WrongThreadException}. After {@link #close} every access
 * throws {@link IllegalStateException}. So a box cannot be used after it is freed, and it is freed
 * once.
 *
 * <p>A box whose thread has died can never be closed: its block stays alive and is counted by its
 * allocator, and if it is {@linkplain Tracking tracked}, it is reported. Use {@link #detach}
 * before, or a {@link SharedBox}, for memory that outlives a thread.
 *
 * {@snippet lang = java :
 * try (NativeBox<Point> box = NativeBox.of(POINT, new Point(1, 2))) {
 *     box.set(new Point(box.get().x(), 3));
 * }
 * }
 *
 * @param <T> the type in the memory: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public sealed interface NativeBox<T> extends AutoCloseable permits ConfinedBox {

    /**
     * Creates a box of a value.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @param value the value to copy
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    static <T> NativeBox<T> of(KernelAllocator allocator, StructType<T> type, T value) {
        return ConfinedBox.of(allocator, type, value);
    }

    /**
     * Creates a zeroed box.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    @SuppressWarnings("unchecked") // a box of the type
    static <T> NativeBox<T> zeroed(KernelAllocator allocator, StructType<T> type) {
        try {
            return (NativeBox<T>) (ConfinedBox<?>) BoxMaker.MAKE.invokeExact(allocator, type, true);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    /**
     * Creates a box whose contents are undefined until they are written, except that a struct that
     * {@linkplain StructType#followsPointers() follows pointers} is zeroed.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    @SuppressWarnings("unchecked") // a box of the type
    static <T> NativeBox<T> uninitialized(KernelAllocator allocator, StructType<T> type) {
        try {
            return (NativeBox<T>)
                    (ConfinedBox<?>)
                            BoxMaker.MAKE.invokeExact(allocator, type, type.followsPointers());
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    /**
     * Creates a box of a value, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @param value the value to copy
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     */
    static <T> NativeBox<T> of(StructType<T> type, T value) {
        return of(KernelAllocator.global(), type, value);
    }

    /**
     * Creates a zeroed box, in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     */
    static <T> NativeBox<T> zeroed(StructType<T> type) {
        return zeroed(KernelAllocator.global(), type);
    }

    /**
     * Creates a box of undefined contents, in memory of the {@linkplain KernelAllocator#global
     * global} allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     */
    static <T> NativeBox<T> uninitialized(StructType<T> type) {
        return uninitialized(KernelAllocator.global(), type);
    }

    // ---- with a flexible array ----------------------------------------------------------------

    /**
     * Creates a zeroed box for a struct that ends with a {@linkplain
     * dev.kernelalloc.struct.Flexible flexible} array. The view has as many elements as the box has
     * room for, which may be more than requested if the alignment of the struct leaves room.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @param elements the number of elements of the array
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalArgumentException if {@code elements} is negative, or the size overflows
     * @throws IllegalStateException if the allocator is closed
     * @throws UnsupportedOperationException if the struct has no flexible array
     */
    static <T> NativeBox<T> zeroed(KernelAllocator allocator, StructType<T> type, long elements) {
        return ConfinedBox.flexible(allocator, type, elements, true);
    }

    /**
     * Creates a box as above, with undefined contents.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @param elements the number of elements of the array
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalArgumentException if {@code elements} is negative, or the size overflows
     * @throws IllegalStateException if the allocator is closed
     * @throws UnsupportedOperationException if the struct has no flexible array
     */
    static <T> NativeBox<T> uninitialized(
            KernelAllocator allocator, StructType<T> type, long elements) {
        return ConfinedBox.flexible(allocator, type, elements, type.followsPointers());
    }

    /**
     * Creates a zeroed box for a struct with a flexible array, in memory of the {@linkplain
     * KernelAllocator#global global} allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @param elements the number of elements of the array
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalArgumentException if {@code elements} is negative, or the size overflows
     * @throws UnsupportedOperationException if the struct has no flexible array
     */
    static <T> NativeBox<T> zeroed(StructType<T> type, long elements) {
        return zeroed(KernelAllocator.global(), type, elements);
    }

    /**
     * Creates a box as above, with undefined contents.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @param elements the number of elements of the array
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalArgumentException if {@code elements} is negative, or the size overflows
     * @throws UnsupportedOperationException if the struct has no flexible array
     */
    static <T> NativeBox<T> uninitialized(StructType<T> type, long elements) {
        return uninitialized(KernelAllocator.global(), type, elements);
    }

    // ---- memory that is there already ---------------------------------------------------------

    /**
     * Creates a box that owns a raw block: {@link KernelAllocator#free} refuses the block, and its
     * segment must no longer be used. {@link #release} is the inverse.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the live raw block
     * @param type the struct type of the memory
     * @param block the block, with the size and alignment of the type; the box is read-only if it
     *     is
     * @return a box owned by the calling thread
     * @throws IllegalArgumentException if the segment has another size or alignment, is not in the
     *     global scope, or starts at no live raw block of that allocator with room for the type;
     *     nothing has changed then
     */
    static <T> NativeBox<T> adopt(
            KernelAllocator allocator, StructType<T> type, MemorySegment block) {
        return ConfinedBox.adopt(allocator, type, 0, type.byteSize(), block);
    }

    /**
     * Creates a box as above, for a struct that ends with a flexible array.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the live raw block
     * @param type the struct type of the memory
     * @param elements the number of elements of the array
     * @param block the block, with the size {@link StructType#byteSize(long)} and the alignment of
     *     the type; the box is read-only if it is
     * @return a box owned by the calling thread
     * @throws IllegalArgumentException as without elements, or if {@code elements} is negative
     * @throws UnsupportedOperationException if the struct has no flexible array
     */
    static <T> NativeBox<T> adopt(
            KernelAllocator allocator, StructType<T> type, long elements, MemorySegment block) {
        return ConfinedBox.adopt(allocator, type, elements, type.byteSize(elements), block);
    }

    /**
     * Creates a box that owns foreign memory, from C for example. Closing it calls {@code release}
     * with {@code segment}, once; {@link #close} throws the exceptions of {@code release}.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @param segment the memory: native, of the size and alignment of the type, and in a scope that
     *     cannot be closed, so that it lives until {@code release}; the box is read-only if it is
     * @param release the function that frees the memory
     * @return a box owned by the calling thread
     * @throws IllegalArgumentException if the segment has another size, alignment or scope; the
     *     message names both values
     */
    static <T> NativeBox<T> adopt(
            StructType<T> type, MemorySegment segment, Consumer<MemorySegment> release) {
        return ConfinedBox.adopt(type, 0, type.byteSize(), segment, release);
    }

    /**
     * Creates a box as above, for a struct that ends with a flexible array.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @param elements the number of elements of the array
     * @param segment the memory, with the size {@link StructType#byteSize(long)}; otherwise as
     *     without elements
     * @param release the function that frees the memory
     * @return a box owned by the calling thread
     * @throws IllegalArgumentException as without elements, or if {@code elements} is negative
     * @throws UnsupportedOperationException if the struct has no flexible array
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
     * Returns the value: a copy if the type is a record; if it is an interface, a live view, whose
     * methods throw the exceptions below when they are called.
     *
     * @return the value
     * @throws IllegalStateException if this box is closed
     * @throws WrongThreadException if called by another thread
     */
    T get();

    /**
     * Copies a value into the box.
     *
     * @param value a record; or a view, whose bytes are copied
     * @throws IllegalStateException if this box is closed
     * @throws WrongThreadException if called by another thread
     */
    void set(T value);

    /**
     * Reads the value, and writes the result of a function of it.
     *
     * @param function a function of the value that returns another value, or the same; its
     *     exceptions are thrown
     * @throws IllegalStateException if this box is closed
     * @throws WrongThreadException if called by another thread
     */
    void update(UnaryOperator<T> function);

    /**
     * Exchanges the contents of two boxes, which keep their memory.
     *
     * @param other another box of the same struct, with the same number of elements in its flexible
     *     array
     * @throws IllegalArgumentException if the structs differ, or one of the boxes is read-only
     * @throws IllegalStateException if one of the boxes is closed
     * @throws WrongThreadException if one of the boxes belongs to another thread
     */
    void swap(NativeBox<T> other);

    /**
     * Creates a box of the same bytes in memory of the same allocator; of the {@linkplain
     * KernelAllocator#global global} one if the memory came from outside the library.
     *
     * @return a writable box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if this box or its allocator is closed
     * @throws WrongThreadException if called by another thread
     */
    NativeBox<T> copy();

    /**
     * Creates a box of the same bytes in memory of another allocator.
     *
     * @param allocator the allocator of the copy
     * @return a writable box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if this box or that allocator is closed
     * @throws WrongThreadException if called by another thread
     */
    NativeBox<T> copy(KernelAllocator allocator);

    /**
     * Creates a {@link #copy} and {@linkplain #update updates} it; this box stays unchanged.
     *
     * @param function a function of the copy's value that returns another value, or the same; its
     *     exceptions are thrown, and the copy is freed
     * @return a box owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if this box or its allocator is closed
     * @throws WrongThreadException if called by another thread
     */
    NativeBox<T> map(UnaryOperator<T> function);

    /**
     * Returns the struct type of the memory.
     *
     * @return the type that the box was created with
     */
    StructType<T> type();

    /**
     * Returns the memory as a segment of the size of the type with its elements, which ends with
     * this box.
     *
     * @return a segment confined to the thread of this box
     * @throws IllegalStateException if this box is closed
     * @throws WrongThreadException if called by another thread
     */
    MemorySegment segment();

    /**
     * Returns the requested number of elements of the flexible array at the end of the struct.
     *
     * @return the number of elements; 0 for a struct without flexible array
     */
    long elements();

    /**
     * Returns the physical location of the value, in its order; adjoining pieces are merged. The
     * location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this box is closed
     * @throws WrongThreadException if called by another thread
     */
    List<PhysicalExtent> extents();

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Ends this box, its views and its segment, and passes the memory to the caller. A block of an
     * allocator becomes a raw block, to be {@linkplain KernelAllocator#free freed} or {@linkplain
     * #adopt adopted} again. For an adopted box with a release function, which is not called, the
     * result is the segment that was adopted.
     *
     * @return a segment of the global scope
     * @throws IllegalStateException if this box is closed already, or a downcall is using the
     *     segment; nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    MemorySegment release();

    /**
     * Ends this box, its views and its segment, and keeps the memory for the thread that attaches
     * the hand-off.
     *
     * @return a hand-off that must be attached, shared or discarded
     * @throws IllegalStateException if this box is closed already, or a downcall is using the
     *     segment; nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    Handoff<T> detach();

    /**
     * Ends this box, its views and its segment, and frees the memory. Exceptions of the release
     * function of an adopted box are thrown after the box has ended.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    void close();
}
