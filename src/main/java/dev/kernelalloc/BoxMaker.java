package dev.kernelalloc;

import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.heap.Slab;
import dev.kernelalloc.heap.SlabHeap;
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
 * called on it, because only then does escape analysis remove the object. Three limits prevent
 * that.
 *
 * <ul>
 *   <li>{@code MaxInlineLevel} ends inlining at 15 nested calls, counted from the method that is
 *       compiled, so a caller that is 12 calls deep leaves three. A call through a constant method
 *       handle, or a linked call site, is not counted: HotSpot raises the limit by one for each of
 *       its own frames. Making, accessing and closing a box therefore consist of flat methods that
 *       are called that way, and call only methods that call nothing further.
 *   <li>{@code NodeCountInliningCutoff} ends it when the compiled method has come to 18,000 nodes.
 *       An access to a segment takes 750, an exact call of a handle 130, a call site 20.
 *   <li>A handle has no type profile: its target must be a static method, a method of a final
 *       class, or a method of a box whose class is known.
 * </ul>
 */
final class BoxMaker {

    private static final MethodType OF_OBJECT = MethodType.methodType(Object.class);

    /** The argument of a box's constructor. */
    static final Object KEY = new Object();

    /** {@link ConfinedBox#make}. */
    static final MethodHandle MAKE;

    /** {@link SlabHeap#slabForOwned}. */
    static final MethodHandle CURRENT;

    /** {@link Slab#tryFreeOwned}. */
    static final MethodHandle GIVE;

    /** {@link StructType#newBox}, of a type that is not known by its layout alone. */
    static final MethodHandle NEW_BOX;

    /** The constructor of {@link SegmentBox}. */
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
            CURRENT =
                    own.findVirtual(
                            SlabHeap.class,
                            "slabForOwned",
                            MethodType.methodType(Slab.class, long.class, long.class));
            GIVE =
                    own.findVirtual(
                            Slab.class,
                            "tryFreeOwned",
                            MethodType.methodType(boolean.class, int.class));
            SEGMENT_BOX =
                    own.findConstructor(
                            SegmentBox.class, MethodType.methodType(void.class, StructType.class));
            MethodHandles.Lookup struct =
                    MethodHandles.privateLookupIn(StructType.class, MethodHandles.lookup());
            NEW_BOX = struct.findVirtual(StructType.class, "newBox", OF_OBJECT);
            BOX_CLASS =
                    struct.findStatic(
                            StructType.class,
                            "boxClass",
                            MethodType.methodType(
                                    MethodHandle.class,
                                    StructType.class,
                                    Class.class,
                                    Object.class,
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

    /** Creates a box that is not open. */
    @SuppressWarnings("unchecked") // a box of the type
    static <T> ConfinedBox<T> closed(StructType<T> type) {
        try {
            return type.type() == MemorySegment.class
                    ? new SegmentBox<>(type)
                    : (ConfinedBox<T>) (Object) NEW_BOX.invokeExact(type);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    /** Makes the constructor of the boxes of a type, {@code ()Object}; called once for each. */
    private static final class Constructors implements Function<StructType<?>, MethodHandle> {
        @Override
        public MethodHandle apply(StructType<?> type) {
            BiFunction<MethodHandle, Long, MethodHandle> access = new Access();
            try {
                MethodHandle constructor =
                        (MethodHandle) BOX_CLASS.invokeExact(type, ConfinedBox.class, KEY, access);
                return constructor == null ? ofSegmentBox(type) : constructor;
            } catch (OutOfMemoryError | LinkageError e) {
                return ofSegmentBox(type); // slower
            } catch (Throwable e) {
                throw CopyPerType.unchecked(e);
            }
        }

        private static MethodHandle ofSegmentBox(StructType<?> type) {
            return SEGMENT_BOX.bindTo(type).asType(OF_OBJECT);
        }
    }

    /** {@link BoxAccess#of}. */
    private static final class Access implements BiFunction<MethodHandle, Long, MethodHandle> {
        @Override
        public MethodHandle apply(MethodHandle access, Long bytes) {
            return BoxAccess.of(access, bytes);
        }
    }
}
