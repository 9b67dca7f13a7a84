package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Objects;

/**
 * A C pointer to a struct: an address, and what lies there.
 *
 * <p>A pointer does not know how many structs it points to, nor how long they live. Whoever follows
 * it says how many it may touch; a wrong number, or memory that is gone, is undefined behaviour, as
 * in C.
 *
 * @param <T> the Java type of the struct
 * @param target the struct at the address
 * @param address the address; 0 for a null pointer
 */
public record Pointer<T>(StructType<T> target, long address) {

    /**
     * @throws NullPointerException if {@code target} is null
     */
    public Pointer {
        Objects.requireNonNull(target, "target");
    }

    /**
     * A pointer to the struct at the start of a segment. It does not keep the memory alive.
     *
     * @param target the struct in the segment
     * @param segment native memory
     * @return the pointer
     * @throws IllegalArgumentException if {@code segment} is not native: heap memory has no address
     */
    public static <T> Pointer<T> to(StructType<T> target, MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException("a pointer needs native memory, this is " + segment);
        }
        return new Pointer<>(target, segment.address());
    }

    /**
     * The null pointer.
     *
     * @param target the struct it would point to
     * @return a pointer with address 0
     */
    public static <T> Pointer<T> nullPointer(StructType<T> target) {
        return new Pointer<>(target, 0);
    }

    /** Whether the address is 0. */
    public boolean isNull() {
        return address == 0;
    }

    /**
     * The one struct that the pointer leads to: a live view, or a copy. The caller vouches that it
     * is there.
     *
     * @return the struct
     * @throws NullPointerException if this is a null pointer
     */
    public T get() {
        return target.get(segment(1));
    }

    /**
     * The memory of the structs that the pointer leads to. The caller vouches that they are there;
     * the segment never ends its life by itself.
     *
     * @param elements how many structs may be touched
     * @return a segment of {@code elements} structs
     * @throws NullPointerException if this is a null pointer
     * @throws IllegalArgumentException if {@code elements} is negative, or its size overflows
     */
    public MemorySegment segment(long elements) {
        if (isNull()) {
            throw new NullPointerException("null pointer to " + target.type().getSimpleName());
        }
        long bytes = elements * target.byteSize();
        if (elements < 0 || bytes < 0 || Math.multiplyHigh(elements, target.byteSize()) != 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "elements=%d of %d bytes each",
                            elements,
                            target.byteSize()));
        }
        return Pointers.memory(address, bytes);
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s * 0x%x", target.type().getSimpleName(), address);
    }
}
