package dev.kernelalloc.primitive;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.core.ClosingSites;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;

/**
 * {@code float} numbers in native memory: a {@code float[]} outside the Java heap, of any length.
 *
 * <p>{@link PrimitiveArray} describes owners, leases and views, and what happens after the end.
 */
public final class NativeFloatArray extends PrimitiveArray<NativeFloatArray> {

    private static final PrimitiveKind<NativeFloatArray> KIND =
            PrimitiveKind.of("NativeFloatArray", 2, true, NativeFloatArray::new);

    private NativeFloatArray(Supplier<NativeSlice<MemorySegment>> memory, long length) {
        super(memory, length);
    }

    @Override
    PrimitiveKind<NativeFloatArray> kind() {
        return KIND;
    }

    // ---- making one ---------------------------------------------------------------------------

    /**
     * Creates a zeroed array, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, or the size overflows
     * @throws AllocationException if memory is not available
     */
    public static NativeFloatArray zeroed(long length) {
        return zeroed(KernelAllocator.global(), length);
    }

    /**
     * Creates a zeroed array.
     *
     * @param allocator the allocator of the memory
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, or the size overflows
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static NativeFloatArray zeroed(KernelAllocator allocator, long length) {
        return KIND.zeroed(allocator, length);
    }

    /**
     * Creates an array of undefined contents.
     *
     * @param allocator the allocator of the memory
     * @param length the number of elements; may be 0
     * @return an array owned by the calling thread
     * @throws IllegalArgumentException if {@code length} is negative, or the size overflows
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static NativeFloatArray uninitialized(KernelAllocator allocator, long length) {
        return KIND.uninitialized(allocator, length);
    }

    /**
     * Creates an array of the given values, in memory of the {@linkplain KernelAllocator#global
     * global} allocator.
     *
     * @param values the values to copy; may be none
     * @return an array owned by the calling thread
     * @throws AllocationException if memory is not available
     */
    public static NativeFloatArray of(float... values) {
        return of(KernelAllocator.global(), values);
    }

    /**
     * Creates an array of the given values.
     *
     * @param allocator the allocator of the memory
     * @param values the values to copy; may be none
     * @return an array owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static NativeFloatArray of(KernelAllocator allocator, float... values) {
        return KIND.copyOf(allocator, MemorySegment.ofArray(values));
    }

    /**
     * Returns a segment as an array: a mapped file, memory of C, a part of an arena, a Java array.
     * It owns nothing, and every access is one of the segment.
     *
     * @param segment the memory: whole elements, at any address
     * @return a view of all elements in the segment
     * @throws IllegalArgumentException if the size of the segment is no multiple of {@link
     *     Float#BYTES}
     */
    public static NativeFloatArray over(MemorySegment segment) {
        return KIND.over(segment);
    }

    /**
     * Maps a part of a file, as an array for all threads. The last lease after {@code close} unmaps
     * it. The channel may be closed.
     *
     * @param file the file, which grows to the end of the part if {@code mode} allows
     * @param mode read-only, read-write, or private
     * @param offset the offset of the first element in bytes
     * @param length the number of elements
     * @return an array owned by all threads
     * @throws IOException if the system refuses
     * @throws IllegalArgumentException if {@code offset} or {@code length} is negative, or the size
     *     overflows
     */
    public static SharedPrimitiveArray<NativeFloatArray> map(
            FileChannel file, FileChannel.MapMode mode, long offset, long length)
            throws IOException {
        return KIND.map(file, mode, offset, length);
    }

    // ---- elements -----------------------------------------------------------------------------

    /**
     * Returns one element.
     *
     * @param index the index of the element
     * @return the value
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalStateException if the memory has ended
     * @throws WrongThreadException if called by another thread
     */
    public float get(long index) {
        try {
            return segment.get(
                    JAVA_FLOAT_UNALIGNED, Objects.checkIndex(index, length) * Float.BYTES);
        } catch (IllegalStateException | WrongThreadException e) {
            throw ClosingSites.explain(e, segment, null);
        }
    }

    /**
     * Writes one element.
     *
     * @param index the index of the element
     * @param value the value
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalStateException if the memory has ended
     * @throws WrongThreadException if called by another thread
     * @throws IllegalArgumentException if the memory is read-only
     */
    public void set(long index, float value) {
        try {
            segment.set(
                    JAVA_FLOAT_UNALIGNED, Objects.checkIndex(index, length) * Float.BYTES, value);
        } catch (IllegalStateException | WrongThreadException e) {
            throw ClosingSites.explain(e, segment, null);
        }
    }

    /**
     * Writes one value to all elements.
     *
     * @param value the value
     * @throws IllegalArgumentException if the memory is read-only
     */
    public void fill(float value) {
        fillBits(Float.floatToRawIntBits(value));
    }

    /**
     * Searches sorted elements for a value.
     *
     * @param value the value to search for
     * @return the index of an equal element; or {@code -1 - i} if there is none and {@code value}
     *     would keep the order at {@code i}
     */
    public long binarySearch(float value) {
        return search(Float.floatToIntBits(value));
    }

    /**
     * Copies the values of a Java array, one after the other.
     *
     * @param values the values, one per element
     * @throws IllegalArgumentException if the lengths differ
     */
    public void copyFrom(float[] values) {
        copyFrom(MemorySegment.ofArray(values));
    }

    /**
     * Copies all elements into a Java array.
     *
     * @param target the array to fill, with one place per element
     * @throws IllegalArgumentException if the lengths differ
     */
    public void copyTo(float[] target) {
        copyTo(MemorySegment.ofArray(target));
    }

    /**
     * Returns all elements in a new Java array.
     *
     * @return an array of all elements
     * @throws IllegalStateException if there are more elements than a Java array can hold
     */
    public float[] toArray() {
        float[] values = new float[intLength()];
        copyTo(values);
        return values;
    }

    /**
     * Returns a stream of the elements. It may be parallel if the memory is shared; otherwise the
     * first other thread that accesses an element throws {@link WrongThreadException}.
     *
     * @return a sequential stream, which reads each element on request
     */
    public DoubleStream stream() {
        return LongStream.range(0, length).mapToDouble(this::get);
    }
}
