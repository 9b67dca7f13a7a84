package dev.kernelalloc;

import dev.kernelalloc.core.OwnedBlock;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * A fixed number of adjoining values in native memory, and the owner of that memory.
 *
 * <p>An array belongs to the thread that created it: an access by another thread, through the
 * array, its slices, its views or its segment, throws {@link WrongThreadException}. After {@link
 * #close} every access throws {@link IllegalStateException}.
 *
 * {@snippet lang = java :
 * try (NativeArray<Point> points = NativeArray.zeroed(POINT, 1_000_000)) {
 *     for (long i = 0; i < points.length(); i++) {
 *         points.set(i, new Point((int) i, -1));
 *     }
 *     points.slice(0, 1000).sortByLong(Point::y);
 * }
 * }
 *
 * @param <T> the type of an element: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public abstract class NativeArray<T> extends NativeSlice<T> implements AutoCloseable {

    /** Only for this package. */
    NativeArray() {}

    /**
     * Creates an array of values.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @param values the values to copy
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if a value does not fit, or the type ends in a flexible
     *     array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    @SafeVarargs
    @SuppressWarnings("varargs") // the values are only read
    public static <T> NativeArray<T> of(
            KernelAllocator allocator, StructType<T> type, T... values) {
        return ofValues(allocator, type, values);
    }

    /**
     * Creates an array with the values of a collection.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @param values the values to copy, in the order of their iterator
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if a value does not fit, or the type ends in a flexible
     *     array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> NativeArray<T> copyOf(
            KernelAllocator allocator, StructType<T> type, Collection<? extends T> values) {
        return filled(
                uninitialized(allocator, type, values.size()),
                array -> {
                    long index = 0;
                    for (T value : values) {
                        array.set(index++, value);
                    }
                    if (index != array.length()) {
                        throw new IllegalArgumentException(
                                String.format(
                                        Locale.ROOT,
                                        "%d values were announced, %d came",
                                        array.length(),
                                        index));
                    }
                });
    }

    /**
     * Creates an array with copies of elements.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param elements the elements to copy
     * @return an array owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed, or the owner of the elements is
     */
    public static <T> NativeArray<T> copyOf(KernelAllocator allocator, NativeSlice<T> elements) {
        return filled(
                uninitialized(allocator, elements.type(), elements.length()),
                array -> array.copyFrom(elements));
    }

    /**
     * Creates a zeroed array.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, the size of that many
     *     elements overflows, or the type ends in a flexible array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> NativeArray<T> zeroed(
            KernelAllocator allocator, StructType<T> type, long length) {
        return make(allocator, type, length, true);
    }

    /**
     * Creates an array whose contents are undefined until they are written, except that a struct
     * that {@linkplain StructType#followsPointers() follows pointers} is zeroed; otherwise as
     * {@link #zeroed(KernelAllocator, StructType, long)}.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, the size of that many
     *     elements overflows, or the type ends in a flexible array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> NativeArray<T> uninitialized(
            KernelAllocator allocator, StructType<T> type, long length) {
        return make(allocator, type, length, type.followsPointers());
    }

    /**
     * Creates an array of values, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param <T> the type of the elements
     * @param type the type of an element
     * @param values the values to copy
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if a value does not fit, or the type ends in a flexible
     *     array
     * @throws AllocationException if memory is not available
     */
    @SafeVarargs
    @SuppressWarnings("varargs") // the values are only read
    public static <T> NativeArray<T> of(StructType<T> type, T... values) {
        return ofValues(KernelAllocator.global(), type, values);
    }

    /**
     * Creates a zeroed array, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param <T> the type of the elements
     * @param type the type of an element
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, the size of that many
     *     elements overflows, or the type ends in a flexible array
     * @throws AllocationException if memory is not available
     */
    public static <T> NativeArray<T> zeroed(StructType<T> type, long length) {
        return zeroed(KernelAllocator.global(), type, length);
    }

    /**
     * Creates an array of undefined contents, in memory of the {@linkplain KernelAllocator#global
     * global} allocator.
     *
     * @param <T> the type of the elements
     * @param type the type of an element
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, the size of that many
     *     elements overflows, or the type ends in a flexible array
     * @throws AllocationException if memory is not available
     */
    public static <T> NativeArray<T> uninitialized(StructType<T> type, long length) {
        return uninitialized(KernelAllocator.global(), type, length);
    }

    private static <T> NativeArray<T> ofValues(
            KernelAllocator allocator, StructType<T> type, T[] values) {
        return filled(
                uninitialized(allocator, type, values.length), array -> array.copyFrom(values));
    }

    private static <T> NativeArray<T> make(
            KernelAllocator allocator, StructType<T> type, long length, boolean zeroed) {
        long bytes = bytes(type, length);
        return owning(
                type,
                OwnedBlock.allocate(
                        AbstractAllocator.blocksOf(allocator), bytes, type.byteAlignment(), zeroed),
                length);
    }

    /** An array over a block, which ends where there can be none. */
    static <T> NativeArray<T> owning(StructType<T> type, OwnedBlock block, long length) {
        try {
            return ArrayOf.make(type, block, length);
        } catch (Throwable e) {
            block.close(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private static <T> NativeArray<T> filled(
            NativeArray<T> array, Consumer<NativeArray<T>> filling) {
        try {
            filling.accept(array);
            return array;
        } catch (RuntimeException | Error e) {
            array.close(); // a value does not fit the type, or its accessor failed
            throw e;
        }
    }

    /**
     * Makes the array available to all threads, without copying. This array is dead afterwards, as
     * if closed; closing it does nothing. {@link SharedArray#attach} is the inverse, on any thread.
     *
     * @return a shared array
     * @throws IllegalStateException if this array is closed, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    public final SharedArray<T> share() {
        guard().requireEndable();
        return SharedArray.of(this);
    }

    /**
     * Returns the physical location of the elements, in their order; adjoining pieces are merged.
     * The location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this array is closed
     * @throws WrongThreadException if called by another thread
     */
    public final List<PhysicalExtent> extents() {
        return block().extents(0, segment().byteSize());
    }

    /** Returns the block of this array. */
    abstract OwnedBlock block();

    /**
     * Ends this array, its slices, its views and its segment, and frees the memory. Does nothing if
     * {@link NativeVec#from} has taken it over, or it is {@linkplain #share shared}.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public final void close() {
        guard().requireEndable();
        block().close();
    }

    /**
     * Returns the first elements, the address and the guarantee of the pages; once closed, or on
     * another thread, without the elements.
     */
    @Override
    public final String toString() {
        return block().describe("NativeArray", this::contents);
    }
}
