package dev.kernelalloc.call;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.struct.Pointer;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;

/**
 * An out-parameter of a C function: memory that C writes, and the type of what it writes.
 *
 * {@snippet lang = java :
 * Out<Pointer<Database>> database = Out.ofPointer(arena, DATABASE);
 * int status = (int) OPEN.invokeExact(path, database.asSegment());
 * Pointer<Database> opened = database.get();
 * }
 *
 * <p>The memory is zeroed at first, so {@link #get} returns 0 or null until C has written. It has
 * the life and the threads of its allocator.
 *
 * @param <T> the type of the value
 */
public final class Out<T extends @Nullable Object> {

    private final MemorySegment segment;
    private final Function<MemorySegment, T> reader;

    /** The value for people, even if it is no value of its type. */
    private final Function<MemorySegment, ?> shown;

    private Out(MemorySegment segment, Function<MemorySegment, T> reader) {
        this(segment, reader, reader);
    }

    private Out(
            MemorySegment segment,
            Function<MemorySegment, T> reader,
            Function<MemorySegment, ?> shown) {
        BulkMemory.fill(segment, (byte) 0);
        this.segment = segment;
        this.reader = reader;
        this.shown = shown;
    }

    /**
     * Allocates an {@code int}.
     *
     * @param allocator the allocator of the memory
     * @return an out-parameter {@code int *}
     */
    public static Out<Integer> ofInt(SegmentAllocator allocator) {
        return new Out<>(
                allocator.allocate(ValueLayout.JAVA_INT),
                segment -> segment.get(ValueLayout.JAVA_INT, 0));
    }

    /**
     * Allocates an integer of 64 bits.
     *
     * @param allocator the allocator of the memory
     * @return an out-parameter {@code int64_t *}, or {@code size_t *} on a 64-bit platform
     */
    public static Out<Long> ofLong(SegmentAllocator allocator) {
        return new Out<>(
                allocator.allocate(ValueLayout.JAVA_LONG),
                segment -> segment.get(ValueLayout.JAVA_LONG, 0));
    }

    /**
     * Allocates a pointer without a type. Its value is a segment of size 0.
     *
     * @param allocator the allocator of the memory
     * @return an out-parameter {@code void **}
     */
    public static Out<MemorySegment> ofAddress(SegmentAllocator allocator) {
        return new Out<>(
                allocator.allocate(ValueLayout.ADDRESS),
                segment -> segment.get(ValueLayout.ADDRESS, 0));
    }

    /**
     * Allocates a pointer to a struct.
     *
     * @param <T> the Java type of the struct
     * @param allocator the allocator of the memory
     * @param target the struct that the pointer points to
     * @return an out-parameter {@code struct T **}
     */
    public static <T> Out<Pointer<T>> ofPointer(SegmentAllocator allocator, StructType<T> target) {
        Objects.requireNonNull(target, "target");
        return new Out<>(
                allocator.allocate(ValueLayout.ADDRESS),
                segment -> new Pointer<>(target, segment.get(ValueLayout.ADDRESS, 0).address()));
    }

    /**
     * Allocates a pointer to text. Its value is a copy of the UTF-8 text up to the NUL, or null;
     * the documentation of the C function defines who owns the memory of the text.
     *
     * <p>{@link #get} follows the pointer, so it is restricted, like {@link
     * MemorySegment#reinterpret(long)}: the JVM warns or denies unless native access is enabled for
     * the module of {@code lookup}.
     *
     * @param lookup {@code MethodHandles.lookup()} of the caller
     * @param allocator the allocator of the memory
     * @return an out-parameter {@code char **}
     * @throws IllegalArgumentException if {@code lookup} has not full privilege access
     */
    public static Out<@Nullable String> ofString(
            MethodHandles.Lookup lookup, SegmentAllocator allocator) {
        MethodHandle reinterpret = reinterpret(lookup);
        return new Out<>(
                allocator.allocate(ValueLayout.ADDRESS),
                segment -> text(segment, reinterpret),
                Out::address);
    }

    /** The restricted method, called on behalf of a lookup class. */
    private static MethodHandle reinterpret(MethodHandles.Lookup lookup) {
        try {
            return lookup.findVirtual(
                    MemorySegment.class,
                    "reinterpret",
                    MethodType.methodType(MemorySegment.class, long.class));
        } catch (IllegalAccessException e) {
            throw new IllegalArgumentException(
                    lookup + " cannot vouch for native access; pass MethodHandles.lookup()", e);
        } catch (NoSuchMethodException e) {
            throw new LinkageError("MemorySegment.reinterpret", e);
        }
    }

    /** A description follows no pointer: what it points to may have ended. */
    private static String address(MemorySegment pointer) {
        return "0x" + Long.toHexString(pointer.get(ValueLayout.ADDRESS, 0).address());
    }

    private static @Nullable String text(MemorySegment pointer, MethodHandle reinterpret) {
        MemorySegment start = pointer.get(ValueLayout.ADDRESS, 0);
        if (start.address() == 0) {
            return null;
        }
        MemorySegment all;
        try {
            all = (MemorySegment) reinterpret.invokeExact(start, Long.MAX_VALUE);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new LinkageError("a checked exception out of MemorySegment.reinterpret", e);
        }
        return all.getString(0);
    }

    /**
     * Allocates a struct.
     *
     * @param <T> the Java type of the struct
     * @param allocator the allocator of the memory
     * @param type the struct that C writes
     * @return an out-parameter {@code struct T *}, whose value is a copy of a record, or a live
     *     view
     */
    public static <T> Out<T> of(SegmentAllocator allocator, StructType<T> type) {
        return new Out<>(type.allocate(allocator), type::get, type::toString);
    }

    /**
     * Returns the memory, as the argument of the C function. A value that C reads first is written
     * here.
     *
     * @return a segment of the size of the value
     */
    public MemorySegment asSegment() {
        return segment;
    }

    /**
     * Returns what the memory holds now.
     *
     * @return the value
     * @throws IllegalStateException if the memory has ended
     * @throws WrongThreadException if the memory is confined to another thread
     * @throws IllegalCallerException if this is a text, and native access is denied to the module
     *     of the lookup
     */
    public T get() {
        return reader.apply(segment);
    }

    /** Returns the value, for people; of memory that cannot be read, its address alone. */
    @Override
    public String toString() {
        if (segment.isAccessibleBy(Thread.currentThread()) && segment.scope().isAlive()) {
            return "Out[" + shown.apply(segment) + "]";
        }
        return String.format(
                Locale.ROOT,
                "Out[%s at 0x%x, %d bytes]",
                segment.scope().isAlive() ? "of another thread," : "closed, was",
                segment.address(),
                segment.byteSize());
    }
}
