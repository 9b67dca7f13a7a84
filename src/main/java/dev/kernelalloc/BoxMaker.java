package dev.kernelalloc;

import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.core.Origin;
import dev.kernelalloc.heap.Slab;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * Makes the boxes of a struct type, each of a class that is generated for its type.
 *
 * <p>The constructor of that class is a constant of the type's code. If the type is constant for
 * the JIT, so is the class of the box; otherwise the call that makes a box has a profile of its
 * own.
 *
 * <p><b>Inlining.</b> A box costs nothing beyond its block when HotSpot inlines everything that is
 * called on it, because only then does escape analysis remove the object. Four limits prevent that.
 *
 * <ul>
 *   <li>{@code MaxInlineLevel} ends inlining at 15 nested calls, counted from the method that is
 *       compiled, so a caller that is 12 calls deep leaves three. A call through a constant method
 *       handle, or a linked call site, is not counted: HotSpot raises the limit by one for each of
 *       its own frames. Making, accessing and closing a box therefore consist of flat methods that
 *       are called that way, and call only methods that call nothing further.
 *   <li>{@code NodeCountInliningCutoff} ends it when the compiled method has come to 18,000 nodes.
 *       An access to a segment takes 750, an exact call of a handle 130, a call site 20.
 *   <li>{@code InlineSmallCode} ends it where a method was compiled by itself, because it is called
 *       with several types, to more than 2,500 bytes. {@link ConfinedBox#make} comes to 1,800: so
 *       {@link NativeMemory#zero} is never inlined, and the fields of a box are set by its
 *       constructor, where they need no barriers of the collector.
 *   <li>A handle has no type profile: its target must be a static method, a method of a final
 *       class, or a method of a box whose class is known.
 * </ul>
 */
final class BoxMaker {

    /** The type of the constructors of boxes: key, slab, origin and address. */
    private static final MethodType CONSTRUCTOR =
            MethodType.methodType(
                    Object.class, Object.class, Object.class, Object.class, long.class);

    /** The first argument of a box's constructor. */
    static final Object KEY = new Object();

    /** {@link ConfinedBox#make}. */
    static final MethodHandle MAKE;

    /** {@link SlabHeap#slabForOwned}. */
    static final MethodHandle SLAB_FOR_OWNED;

    /** {@link Slab#tryFreeOwned}. */
    static final MethodHandle FREE_OWNED;

    /** {@link StructType#newBox}, of a type that is not known by its layout alone. */
    static final MethodHandle NEW_BOX;

    /** {@link SegmentBox#make}. */
    private static final MethodHandle SEGMENT_BOX;

    /** Generates the class of boxes of a type: its constructor, or null. */
    private static final MethodHandle BOX_CLASS;

    static {
        try {
            MethodHandles.Lookup own = MethodHandles.lookup();
            MAKE =
                    own.findStatic(
                            ConfinedBox.class,
                            "make",
                            MethodType.methodType(
                                    ConfinedBox.class,
                                    KernelAllocator.class,
                                    StructType.class,
                                    boolean.class));
            SLAB_FOR_OWNED =
                    own.findVirtual(
                            SlabHeap.class,
                            "slabForOwned",
                            MethodType.methodType(Slab.class, long.class, long.class));
            FREE_OWNED =
                    own.findVirtual(
                            Slab.class,
                            "tryFreeOwned",
                            MethodType.methodType(boolean.class, long.class));
            SEGMENT_BOX =
                    own.findStatic(
                            SegmentBox.class,
                            "make",
                            CONSTRUCTOR.insertParameterTypes(0, StructType.class));
            MethodHandles.Lookup struct =
                    MethodHandles.privateLookupIn(StructType.class, MethodHandles.lookup());
            NEW_BOX = struct.findVirtual(StructType.class, "newBox", CONSTRUCTOR);
            BOX_CLASS =
                    struct.findStatic(
                            StructType.class,
                            "boxClass",
                            MethodType.methodType(
                                    MethodHandle.class,
                                    StructType.class,
                                    Class.class,
                                    BiFunction.class));
            Function<StructType<?>, MethodHandle> constructors = new Constructors();
            struct.findStaticVarHandle(StructType.class, "boxes", Function.class)
                    .setVolatile(constructors);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private BoxMaker() {}

    static void requireKey(Object key) {
        if (key != KEY) {
            throw new IllegalCallerException("boxes are made by NativeBox.of, zeroed, …");
        }
    }

    /** Creates a box of the calling thread. */
    @SuppressWarnings("unchecked") // a box of the type
    static <T> ConfinedBox<T> box(StructType<T> type, Origin origin, long address) {
        try {
            return (ConfinedBox<T>)
                    (type.type() == MemorySegment.class
                            ? SegmentBox.make(type, KEY, Slab.ABSENT, origin, address)
                            : (Object)
                                    NEW_BOX.invokeExact(
                                            type,
                                            KEY,
                                            (Object) Slab.ABSENT,
                                            (Object) origin,
                                            address));
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    /** Makes the constructor of the boxes of a type; called once for each. */
    private static final class Constructors implements Function<StructType<?>, MethodHandle> {
        @Override
        public MethodHandle apply(StructType<?> type) {
            BiFunction<MethodHandle, Long, MethodHandle> access = new Access();
            try {
                MethodHandle constructor =
                        (MethodHandle) BOX_CLASS.invokeExact(type, ConfinedBox.class, access);
                return constructor == null ? ofSegmentBox(type) : constructor;
            } catch (OutOfMemoryError | LinkageError e) {
                return ofSegmentBox(type); // slower
            } catch (Throwable e) {
                throw CopyPerType.unchecked(e);
            }
        }

        private static MethodHandle ofSegmentBox(StructType<?> type) {
            return SEGMENT_BOX.bindTo(type);
        }
    }

    /**
     * Makes the accesses that generated code makes to the memory of a box: handles that take the
     * box and check it.
     *
     * <p>Generated classes belong to the modules of their users, whose code can call their private
     * methods and read their fields through a private lookup. They therefore hold no segment of
     * other memory. They hold these handles as class data, which only the original lookup of the
     * class can read, and call them with {@code this}. A handle checks that the box is open and
     * belongs to the calling thread, and that the offset is one that boxes of that class have.
     */
    private static final class Access implements BiFunction<MethodHandle, Long, MethodHandle> {

        private static final MethodHandle AT;

        static {
            try {
                AT =
                        MethodHandles.lookup()
                                .findStatic(
                                        ConfinedBox.class,
                                        "at",
                                        MethodType.methodType(
                                                long.class,
                                                ConfinedBox.class,
                                                long.class,
                                                long.class));
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        /**
         * Turns an access of a segment into one of a box.
         *
         * @param access {@code (MemorySegment, long offset, …)}; it calls nothing that is not the
         *     library's or the JDK's between the first and the last touch of memory
         * @param offsets that are possible, from 0 on, in a box of the class that will call it
         * @return {@code (ConfinedBox, long offset, …)}
         */
        @Override
        public MethodHandle apply(MethodHandle access, Long offsets) {
            MethodHandle absolute =
                    MethodHandles.insertArguments(access, 0, NativeMemory.EVERYTHING);
            return MethodHandles.collectArguments(
                    absolute, 0, MethodHandles.insertArguments(AT, 2, offsets));
        }
    }
}
