package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.bulk.Headroom;

import org.jspecify.annotations.Nullable;

import java.lang.constant.ConstantDescs;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.invoke.CallSite;
import java.lang.invoke.ConstantCallSite;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * The layout of a C struct, described by a Java record or interface, and access to values in
 * memory.
 *
 * <p>A <b>record</b> is a copy: {@link #get} reads all members, {@link #set} writes them. An
 * <b>interface</b> is a live view: {@code get} returns an object whose getters and setters reach
 * the memory itself. Members have the order of the declaration and are laid out by the rules of the
 * C compilers of the platform; the annotations of this package express what Java cannot.
 *
 * {@snippet lang = java :
 * record Point(int x, int y) {}
 *
 * interface Line {
 *     Point from();
 *     void from(Point value);
 *     Point to();
 *     void to(Point value);
 * }
 *
 * static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);
 * }
 *
 * <p>Keep a type in a {@code static final} field: creating one generates classes, and an access
 * through a constant type costs as much as an access to the memory. Accesses allocate only values
 * that are objects: copies, strings, views that escape.
 *
 * <p><b>Memory.</b> Sizes and offsets are in bytes. Every access is checked by the segment: one out
 * of its bounds throws {@link IndexOutOfBoundsException}, one after its life {@link
 * IllegalStateException}, one from a thread it is not confined to {@link WrongThreadException}, a
 * write to a read-only one {@link IllegalArgumentException}. Plain accesses work at any address; an
 * {@link Access} mode or an {@link Atomic} operation at a misaligned address throws {@link
 * IllegalArgumentException}.
 *
 * <p>A type is immutable and may be used by any thread. Views are as safe for threads as the
 * memory.
 *
 * @param <T> the record or interface, or {@link MemorySegment} for a struct known by its layout
 *     alone
 */
public abstract class StructType<T> {

    /** Makes the constructor of a type's boxes. Set by the package of boxes. */
    @SuppressWarnings("unused")
    private static volatile @Nullable Function<StructType<?>, MethodHandle> boxes;

    /** Whether a type was made: the classes that this needs are initialised. */
    private static volatile boolean initialised;

    private final StructModel model;

    /**
     * Creates a type. Only generated subclasses have the argument: owners of memory trust the sizes
     * that a type reports, so no other subclass is accepted.
     *
     * @param model the description of a struct that has no type yet
     * @throws IllegalCallerException if {@code model} is anything else
     * @hidden
     */
    protected StructType(Object model) {
        // Before super(): an object that does not exist has no finalizer to escape through.
        StructModel unlinked = StructModel.requireUnlinked(model);
        super();
        this.model = unlinked;
    }

    /**
     * Returns the type of the struct that a record or an interface describes.
     *
     * <p>Reading, laying out and checking takes a few milliseconds; the result is not cached.
     *
     * @param lookup {@code MethodHandles.lookup()} of a class that sees {@code type} and every type
     *     in it; nested private types are seen by the class around them
     * @param type a record or an interface
     * @param <T> the record or interface
     * @return the type
     * @throws StructDefinitionException if it does not describe a struct, or structs nest more than
     *     64 deep in it; all mistakes are reported together
     */
    public static <T> StructType<T> of(MethodHandles.Lookup lookup, Class<T> type) {
        if (!initialised) {
            Headroom.require(); // before Abi, which is initialised once or never
        }
        return of(lookup, type, Abi.HOST);
    }

    /** The struct as the compilers of another platform lay it out. */
    @SuppressWarnings(
            "unchecked") // the generated class is a StructType of the class it is generated for
    static <T> StructType<T> of(MethodHandles.Lookup lookup, Class<T> type, Abi abi) {
        Objects.requireNonNull(lookup, "lookup");
        Objects.requireNonNull(type, "type");
        StructType<?> bound = Binder.bind(lookup, type, abi);
        initialised = true;
        return (StructType<T>) bound;
    }

    /**
     * Returns the type of a struct known by its layout alone, for example one that jextract wrote.
     * Its values are segments: {@link #get} returns a slice of the memory, {@link #set} copies
     * bytes.
     *
     * @param layout the layout; if it is no group, it becomes the only member, {@code value}, of a
     *     struct
     * @return the type
     * @throws IllegalArgumentException if its size and alignment together exceed {@link
     *     Long#MAX_VALUE}: no memory could hold it; or if groups nest more than 64 deep
     */
    public static StructType<MemorySegment> of(MemoryLayout layout) {
        return SegmentStruct.ofLayout(layout);
    }

    // ---- what it is -----------------------------------------------------------------------------

    /**
     * Returns the record or interface; {@code MemorySegment.class} for a struct known by its layout
     * alone.
     *
     * @return the class
     */
    public abstract Class<T> type();

    /**
     * Returns the layout: members by their names, paddings explicit. The bytes of bit-fields are
     * sequences without a name; a flexible array is a sequence of no elements.
     *
     * @return the layout
     */
    public final GroupLayout layout() {
        return model.layout();
    }

    /**
     * Returns the layout that describes the struct to a {@link java.lang.foreign.Linker}, so that C
     * functions take and return it by value.
     *
     * <p>Without bit-fields this is {@link #layout()}. The linker does not support bit-fields: the
     * bytes that hold them become integers without names, and other members may be parts of these.
     * Read and write the segment with this type, not by paths.
     *
     * <p>The linker of the JDK has limits of its own: it refuses, with an {@link
     * IllegalArgumentException}, structs that are packed, aligned to more than their members need,
     * of another byte order, or with a hole that C would not leave.
     *
     * @return a layout of the same size and alignment
     * @throws UnsupportedOperationException if a bit-field crosses the integers of its declared
     *     type, as in a packed struct, or shares one with a union of floating-point members
     */
    public final GroupLayout linkerLayout() {
        return LinkerLayout.of(model);
    }

    /**
     * Returns whether values are live: a view, or a slice of the memory. Otherwise they are copies.
     *
     * @return false for a record
     */
    public abstract boolean isView();

    /**
     * Returns the size in bytes, with padding at the end; without the elements of a {@link
     * Flexible} array.
     *
     * @return the size
     */
    public abstract long byteSize();

    /**
     * Returns the alignment in bytes, a power of two.
     *
     * @return the alignment
     */
    public abstract long byteAlignment();

    /**
     * Returns the size of the struct with a number of elements in its {@link Flexible} array.
     *
     * @param elements the number of elements
     * @return the bytes to allocate, at least {@link #byteSize()}
     * @throws UnsupportedOperationException if the struct has no flexible array
     * @throws IllegalArgumentException if {@code elements} is negative, or the size overflows
     */
    public final long byteSize(long elements) {
        if (!model.isFlexible()) {
            throw new UnsupportedOperationException(
                    model.type().getSimpleName() + " has no @Flexible member");
        }
        Member array = model.members().getLast();
        try {
            if (elements >= 0) {
                long end =
                        Math.addExact(
                                array.offset(), Math.multiplyExact(elements, array.stride(0)));
                return Math.max(byteSize(), Layouter.alignUp(end, byteAlignment()));
            }
        } catch (ArithmeticException e) {
            // falls through to the one message
        }
        throw new IllegalArgumentException(
                String.format(
                        Locale.ROOT, "elements=%d of %d bytes each", elements, array.stride(0)));
    }

    /**
     * Returns whether the struct ends in a {@link Flexible} array, so that its size is not fixed.
     *
     * @return false for a struct known by its layout alone
     */
    public final boolean isFlexible() {
        return model.isFlexible();
    }

    /**
     * Returns whether the struct, or one inside it, has a {@link CString} or {@link Pointer}
     * member. Memory of such a struct that was never written is dangerous to read, so the owners of
     * this library zero it even where they are created without initial contents.
     *
     * @return false for a struct known by its layout alone
     */
    public abstract boolean followsPointers();

    // ---- memory ---------------------------------------------------------------------------------

    /**
     * Allocates memory for one struct, from any allocator: an {@link java.lang.foreign.Arena} for
     * example. A {@link Flexible} array at its end has no elements.
     *
     * {@snippet lang = java :
     * try (Arena arena = Arena.ofConfined()) {
     *     Line line = LINE.get(LINE.allocate(arena));     // a live view of zeros
     *     MemorySegment from = POINT.allocate(arena, new Point(1, 2));
     * }
     * }
     *
     * @param allocator the allocator, which decides the contents and the life of the memory: that
     *     of an arena is zeroed, and ends with the arena
     * @return a segment of {@link #byteSize()} bytes, aligned to {@link #byteAlignment()}
     */
    public final MemorySegment allocate(SegmentAllocator allocator) {
        return allocator.allocate(byteSize(), byteAlignment());
    }

    /**
     * Allocates memory for one struct, as {@link #allocate(SegmentAllocator)} does, and writes a
     * value. Paddings are zeroed. The texts of {@link CString} members of a record get memory of
     * the same allocator.
     *
     * @param allocator the allocator
     * @param value the value, as in {@link #set(MemorySegment, Object)}
     * @return a segment of {@link #byteSize()} bytes, aligned to {@link #byteAlignment()}
     * @throws IllegalArgumentException if a member of {@code value} does not fit, or a text would
     *     get memory of the Java heap, which has no address. The memory stays allocated: it ends
     *     with the arena. Of an allocator without an end of its own, use a box, which frees it
     * @throws NullPointerException if {@code value} or an object in it is null
     */
    public final MemorySegment allocate(SegmentAllocator allocator, T value) {
        Objects.requireNonNull(value, "value");
        MemorySegment segment = allocate(allocator);
        clear(segment);
        if (model.hasTextPointers()) {
            ScopedValue.where(TextPointerCodec.TEXTS, allocator).run(() -> set(segment, value));
        } else {
            set(segment, value);
        }
        return segment;
    }

    // ---- values ---------------------------------------------------------------------------------

    /**
     * Returns the struct at the start of a segment.
     *
     * @param segment memory of at least {@link #byteSize()} bytes
     * @return a copy, a live view, or a slice
     * @throws IndexOutOfBoundsException if the segment is smaller than the struct
     */
    public abstract T get(MemorySegment segment);

    /**
     * Returns the struct at an offset of a segment.
     *
     * @param segment the memory
     * @param offset the offset of the struct in bytes
     * @return a copy, a live view, or a slice
     * @throws IndexOutOfBoundsException if the struct is not within the segment
     */
    public abstract T get(MemorySegment segment, long offset);

    /**
     * Writes the struct at the start of a segment.
     *
     * @param segment memory of at least {@link #byteSize()} bytes
     * @param value a record, whose members are written (paddings keep their bytes), or a view or a
     *     slice, whose bytes are copied
     * @throws IndexOutOfBoundsException if the segment is smaller than the struct
     * @throws IllegalArgumentException if a member of {@code value} does not fit: an array of
     *     another length, a string too long, an integer out of range; members in front of it are
     *     written
     * @throws NullPointerException if {@code value} or an object in it is null
     */
    public abstract void set(MemorySegment segment, T value);

    /**
     * Writes the struct at an offset of a segment.
     *
     * @param segment the memory
     * @param offset the offset of the struct in bytes
     * @param value the value, as in {@link #set(MemorySegment, Object)}
     * @throws IndexOutOfBoundsException if the struct is not within the segment
     * @throws IllegalArgumentException as in {@link #set(MemorySegment, Object)}
     * @throws NullPointerException if {@code value} or an object in it is null
     */
    public abstract void set(MemorySegment segment, long offset, T value);

    /**
     * Zeroes all bytes of the struct at the start of a segment, paddings included, but not the
     * elements of a {@link Flexible} array.
     *
     * @param segment memory of at least {@link #byteSize()} bytes
     * @throws IndexOutOfBoundsException if the segment is smaller than the struct; some of its
     *     bytes may be written
     */
    public void clear(MemorySegment segment) {
        BulkMemory.fill(segment.asSlice(0, byteSize()), (byte) 0);
    }

    // ---- single members -------------------------------------------------------------------------

    /**
     * Returns a handle on a primitive or pointer anywhere in the struct, in any access mode.
     *
     * @param path the path through {@link #layout()}
     * @return a handle with the coordinates {@code (MemorySegment, long offset, long index…)}
     * @throws IllegalArgumentException if the path leads to no value, as in {@link
     *     MemoryLayout#varHandle(PathElement...)}
     */
    public final VarHandle varHandle(PathElement... path) {
        return layout().varHandle(path);
    }

    /**
     * Returns a handle on a primitive or pointer anywhere in the struct, in any access mode. The
     * handle has the type in memory; for an enum this is the integer.
     *
     * @param path names separated by dots, each index in brackets, an open one empty: {@code
     *     "from.x"}, {@code "points[3].x"}, {@code "points[].x"}
     * @return a handle with the coordinates {@code (MemorySegment, long offset, long index…)}
     * @throws IllegalArgumentException if the path leads to no value; a bit-field or a string has
     *     no {@code VarHandle}, it has a {@link #getter} and a {@link #setter}
     */
    public final VarHandle varHandle(String path) {
        return new MemberPath(model, path).varHandle();
    }

    /**
     * Returns a handle that reads any member, including a bit-field, a string, an array or a nested
     * struct.
     *
     * @param path the path, as in {@link #varHandle(String)}, without open indexes
     * @return a handle of the type {@code (MemorySegment, long offset)value}
     * @throws IllegalArgumentException if the path leads to no member
     */
    public final MethodHandle getter(String path) {
        return new MemberPath(model, path).getter();
    }

    /**
     * Returns a handle that writes any member, including a bit-field, a string, an array or a
     * nested struct.
     *
     * @param path the path, as in {@link #varHandle(String)}, without open indexes
     * @return a handle of the type {@code (MemorySegment, long offset, value)void}
     * @throws IllegalArgumentException if the path leads to no member
     */
    public final MethodHandle setter(String path) {
        return new MemberPath(model, path).setter();
    }

    // ---- other layouts --------------------------------------------------------------------------

    /**
     * Compares this struct with a layout of the same struct in C, such as jextract generates from
     * the header: size, alignment, and the place of each member.
     *
     * {@snippet lang = java :
     * GroupLayout generated =
     *         MemoryLayout.structLayout(JAVA_INT.withName("x"), JAVA_INT.withName("y"));
     * List<String> differences = POINT.differences(generated); // none
     * }
     *
     * <p>A member of the layout is compared with the member of its name, as it is or in camel case.
     * If there is none, a member with the same offset and size is needed, whatever its name.
     * Integers of one size are alike, whatever their signs and byte orders; so are pointers and
     * integers, and an array and bytes or text. Members in paddings of the layout are accepted.
     * Flexible arrays are not compared, as they have no bytes in a layout. Bit-fields are not, as
     * jextract writes paddings for them; {@code kernel-alloc struct --check} compares them with the
     * compiler's own debug information.
     *
     * @param layout the layout; if it is no group, that of the only member of a struct
     * @return a line for each difference, with both offsets: {@code "tv_nsec: long at 8 in the
     *     layout, tvNsec: int at 4 in Time"}; empty if there is none
     * @throws IllegalArgumentException as for {@link #of(MemoryLayout)}
     */
    public final List<String> differences(MemoryLayout layout) {
        return LayoutComparison.differences(model, of(layout).layout());
    }

    // ---- for people -----------------------------------------------------------------------------

    /**
     * Formats the layout as {@code pahole} does: offset and size of every member, holes, padding.
     *
     * @return several lines, each ended by a line feed
     */
    public final String describe() {
        return Printer.describe(model, byteSize(), byteAlignment());
    }

    /**
     * Formats the members of a struct in memory, briefly: {@code "Vmxon[revisionId=42, data=4092
     * bytes]"}.
     *
     * @param segment memory of at least {@link #byteSize()} bytes
     * @return one line
     * @throws IndexOutOfBoundsException if the segment is smaller than the struct
     */
    public final String toString(MemorySegment segment) {
        return Printer.show(model, segment, 0);
    }

    /**
     * Returns the kind, the name and the size of the struct: {@code "struct Vmxon (4096 bytes)"}.
     */
    @Override
    public final String toString() {
        return String.format(Locale.ROOT, "%s (%d bytes)", model.spelling(), byteSize());
    }

    /**
     * Returns the memory at an address. Generated subclasses make the restricted call in their own
     * code, so that the JVM attributes it to the module of the lookup they were generated with.
     *
     * @param address the address
     * @param bytes the size in bytes
     * @return a segment that never ends
     * @throws IllegalCallerException if native access is denied to that module
     * @throws UnsupportedOperationException if the struct is known by its layout alone
     * @hidden
     */
    protected MemorySegment memory(long address, long bytes) {
        throw new UnsupportedOperationException(
                String.format(
                        Locale.ROOT,
                        "%s is known by its layout alone, so no module answers for what lies at"
                                + " 0x%x; reinterpret Pointer.asSegment(), or use a type of"
                                + " StructType.of(lookup, ...)",
                        this,
                        address));
    }

    /**
     * Creates a box of this type, by a constructor that is a constant of the type's code: so the
     * JIT knows the class of the box wherever it knows the type.
     *
     * @param key the proof that the library creates the box
     * @param slab what the constructor of boxes needs, as the following parameters
     * @param origin the origin of the block
     * @param address the address of the block
     * @return null for a struct known by its layout alone
     * @hidden
     */
    protected @Nullable Object newBox(Object key, Object slab, Object origin, long address) {
        return null;
    }

    /**
     * Links the call of the constructor in {@link #newBox} of a generated subclass.
     *
     * @param caller the lookup of the generated class
     * @param name not used
     * @param type the type of the constructor
     * @return the call site
     * @throws IllegalCallerException if {@code caller} is no generated class
     * @hidden
     */
    protected static CallSite linkNewBox(
            MethodHandles.Lookup caller, String name, MethodType type) {
        StructModel model;
        try {
            model =
                    MethodHandles.classDataAt(
                            caller, ConstantDescs.DEFAULT_NAME, StructModel.class, 0);
        } catch (IllegalAccessException | ClassCastException | IndexOutOfBoundsException e) {
            throw new IllegalCallerException(caller + " is no generated class", e);
        }
        if (model == null) {
            throw new IllegalCallerException(caller + " is no generated class");
        }
        return new ConstantCallSite(newBoxOf(model));
    }

    /**
     * Links a call site of a generated subclass to a handle. The JIT inlines less code for this
     * than for an exact invocation of the handle, which checks its type.
     *
     * @param target the handle to call
     * @param caller the lookup of the generated class
     * @param name the name of the call site
     * @param type the type of the call site
     * @return the call site
     * @hidden
     */
    protected static CallSite link(
            MethodHandles.Lookup caller, String name, MethodType type, MethodHandle target) {
        return new ConstantCallSite(target);
    }

    /** Returns the constructor of the boxes of a struct; called once for each. */
    static MethodHandle newBoxOf(StructModel model) {
        return Objects.requireNonNull(boxes, "not set").apply(model.structType());
    }

    /**
     * Generates the class of boxes of a struct, for the package of boxes.
     *
     * @param base its superclass, whose constructor has the parameters of {@link #newBox}
     * @param access turns {@code (MemorySegment, long offset, …)} into {@code (base, long offset,
     *     …)}, for as many offsets from 0 on
     * @return its constructor; null where the struct has no boxes of its own
     */
    @SuppressWarnings("unused") // by the package of boxes
    private static @Nullable MethodHandle boxClass(
            StructType<?> type,
            Class<?> base,
            BiFunction<MethodHandle, Long, MethodHandle> access) {
        return ClassGenerator.generateBox(type.model, new BoxBase(base, access));
    }

    final StructModel model() {
        return model;
    }
}
