package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Objects;

/**
 * A C pointer to a struct: an address, and the type of the struct there.
 *
 * <p>A pointer has neither the number of structs behind it nor their lifetime. The code that
 * follows it states how many it may touch; a wrong number, or memory that was freed, is undefined
 * behaviour, as in C.
 *
 * <p>{@link #get} and {@link #segment} are restricted, like {@link
 * MemorySegment#reinterpret(long)}: the JVM warns or denies unless native access is enabled for the
 * module of the lookup that the target was created with.
 *
 * @param <T> the Java type of the struct
 * @param target the struct at the address
 * @param address the address; 0 for a null pointer
 */
public record Pointer<T>(StructType<T> target, long address) {

    /**
     * Creates a pointer.
     *
     * @throws NullPointerException if {@code target} is null
     */
    public Pointer {
        Objects.requireNonNull(target, "target");
    }

    /**
     * Returns a pointer to the struct at the start of a segment. It does not keep the memory alive.
     *
     * @param target the struct in the segment
     * @param segment native memory
     * @param <T> the Java type of the struct
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
     * Returns a null pointer.
     *
     * @param target the type of the struct
     * @param <T> the Java type of the struct
     * @return a pointer with address 0
     */
    public static <T> Pointer<T> nullPointer(StructType<T> target) {
        return new Pointer<>(target, 0);
    }

    /**
     * Returns whether the address is 0.
     *
     * @return true for a null pointer
     */
    public boolean isNull() {
        return address == 0;
    }

    /**
     * Returns the address as a segment of size 0, as C functions take it. It reaches no memory.
     *
     * @return a segment at the address
     */
    public MemorySegment asSegment() {
        return MemorySegment.ofAddress(address);
    }

    /**
     * Returns a pointer to another element of the array that this one points into, as {@code
     * pointer + n} does in C.
     *
     * @param elements the number of structs to move by, which may be negative
     * @return the pointer
     * @throws NullPointerException if this is a null pointer
     * @throws IllegalArgumentException if the distance overflows
     */
    public Pointer<T> plus(long elements) {
        requireNotNull();
        try {
            long distance = Math.multiplyExact(elements, stride());
            return new Pointer<>(target, Math.addExact(address, distance));
        } catch (ArithmeticException _) {
            throw tooMany(elements);
        }
    }

    /**
     * Returns the struct behind the pointer: a live view, or a copy. The caller vouches that it
     * exists.
     *
     * @return the struct
     * @throws NullPointerException if this is a null pointer
     * @throws IllegalCallerException if native access is denied to the module of the target
     * @throws UnsupportedOperationException if the target is known by its layout alone
     */
    public T get() {
        requireNotNull();
        return target.get(target.memory(address, target.byteSize()));
    }

    /**
     * Returns the memory of the structs behind the pointer. The caller vouches that they exist; the
     * segment never ends on its own.
     *
     * @param elements the number of structs
     * @return a segment of {@code elements} structs
     * @throws NullPointerException if this is a null pointer
     * @throws IllegalArgumentException if {@code elements} is negative, or its size overflows
     * @throws IllegalCallerException if native access is denied to the module of the target
     * @throws UnsupportedOperationException if the target is known by its layout alone
     */
    public MemorySegment segment(long elements) {
        requireNotNull();
        if (elements < 0) {
            throw new IllegalArgumentException("elements=" + elements + " must not be negative");
        }
        long bytes = elements * stride();
        if (bytes < 0 || Math.multiplyHigh(elements, stride()) != 0) {
            throw tooMany(elements);
        }
        return target.memory(address, bytes);
    }

    private void requireNotNull() {
        if (isNull()) {
            throw new NullPointerException("null pointer to " + target.type().getSimpleName());
        }
    }

    /** As in C: the size is a multiple of the alignment, also of a layout that is not padded. */
    private long stride() {
        return Layouter.alignUp(target.byteSize(), target.byteAlignment());
    }

    private IllegalArgumentException tooMany(long elements) {
        return new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "elements=%d of %d bytes each are beyond the address space, from 0x%x on",
                        elements,
                        stride(),
                        address));
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s * 0x%x", target.type().getSimpleName(), address);
    }
}
