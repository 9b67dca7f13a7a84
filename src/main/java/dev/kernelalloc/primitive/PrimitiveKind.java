package dev.kernelalloc.primitive;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.struct.StructType;

import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.function.Supplier;

/**
 * How arrays of one primitive type are made. Memory of the library is aligned for the type; memory
 * of others need not be.
 *
 * @param name of the class of the arrays
 * @param constructor from the memory and its number of elements
 * @param aligned an element in memory of the library
 * @param unaligned an element anywhere
 */
record PrimitiveKind<A extends PrimitiveArray<A>>(
        String name,
        NumberFormat format,
        Constructor<A> constructor,
        StructType<MemorySegment> aligned,
        StructType<MemorySegment> unaligned) {

    /**
     * The constructor of a class of arrays. It calls the supplier last, when the array exists: so
     * no memory is lost where the Java heap is exhausted.
     */
    interface Constructor<A> {
        A apply(Supplier<NativeSlice<MemorySegment>> memory, long length);
    }

    static <A extends PrimitiveArray<A>> PrimitiveKind<A> of(
            String name, int shift, boolean floating, Constructor<A> constructor) {
        NumberFormat format = new NumberFormat(shift, floating);
        MemoryLayout element = MemoryLayout.sequenceLayout(format.byteSize(), JAVA_BYTE);
        return new PrimitiveKind<>(
                name,
                format,
                constructor,
                StructType.of(element.withByteAlignment(format.byteSize())),
                StructType.of(element));
    }

    A zeroed(KernelAllocator allocator, long length) {
        return constructor.apply(() -> NativeArray.zeroed(allocator, aligned, length), length);
    }

    A uninitialized(KernelAllocator allocator, long length) {
        return constructor.apply(
                () -> NativeArray.uninitialized(allocator, aligned, length), length);
    }

    /** Returns an array of the values of a Java array. */
    A copyOf(KernelAllocator allocator, MemorySegment values) {
        A array = uninitialized(allocator, values.byteSize() >> format.shift());
        try {
            array.copyFrom(values);
        } catch (Throwable e) {
            array.close(); // the Java heap or stack is exhausted
            throw e;
        }
        return array;
    }

    A over(MemorySegment segment) {
        NativeSlice<MemorySegment> memory = NativeSlice.over(unaligned, segment);
        return constructor.apply(() -> memory, memory.length());
    }

    SharedPrimitiveArray<A> map(
            FileChannel file, FileChannel.MapMode mode, long offset, long length)
            throws IOException {
        SharedArray<MemorySegment> memory = SharedArray.map(unaligned, file, mode, offset, length);
        try {
            return new SharedPrimitiveArray<>(this, length, () -> memory);
        } catch (Throwable e) {
            memory.close(); // the Java heap or stack is exhausted
            throw e;
        }
    }
}
