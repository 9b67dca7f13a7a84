package dev.kernelalloc;

import dev.kernelalloc.heap.Slab;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * Makes the boxes of a struct type, each of a class that is generated for its type.
 *
 * <p>The first box of such a class is the companion of the type, a constant of the type's code. It
 * is never opened; it makes the others. If the type is constant for the JIT, so is the class of the
 * box; otherwise the call that makes a box has a profile of its own.
 *
 * <p><b>Inlining.</b> A box costs nothing beyond its block when HotSpot inlines everything that is
 * called on it, because only then does escape analysis remove the object. Two limits prevent that.
 * {@code MaxInlineLevel} ends inlining at 15 nested calls, counted from the method that is
 * compiled, so a caller that is 12 calls deep leaves three. A call through a constant method handle
 * is not counted: HotSpot raises the limit by one for the handle's own frames. Making, accessing
 * and closing a box therefore consist of flat methods that call each other through the handles
 * below. The second limit is the type profile, which a handle does not have: its target must be a
 * static method, a method of a final class, or a method of a box whose class is known.
 */
final class BoxMaker {

    /** The argument of a box's constructor. */
    static final Object KEY = new Object();

    /** {@link ConfinedBox#uninitialized}. */
    static final MethodHandle UNINITIALIZED;

    /** {@link ConfinedBox#zeroed}. */
    static final MethodHandle ZEROED;

    /** {@link #closed}. */
    static final MethodHandle CLOSED;

    /** {@link ConfinedBox#open}. */
    static final MethodHandle OPEN;

    /** {@link ConfinedBox#byteSize$}. */
    static final MethodHandle SIZE;

    /** {@link ConfinedBox#byteAlignment$}. */
    static final MethodHandle ALIGNMENT;

    /** {@link CheckedBlocks#slabForOwned}. */
    static final MethodHandle CURRENT;

    /** {@link Slab#take}. */
    static final MethodHandle TAKE;

    /** {@link CheckedBlocks#takeSlowly}. */
    static final MethodHandle TAKE_SLOWLY;

    /** {@link Slab#tryGive}. */
    static final MethodHandle GIVE;

    /** {@link NativeMemory#zero}. */
    static final MethodHandle ZERO;

    private static final MethodHandle FRESH;

    /** The companion of a type that is not known by its layout alone. */
    private static final MethodHandle COMPANION;

    /** Generates the class of boxes of a type: its constructor, or null. */
    private static final MethodHandle BOX_CLASS;

    static {
        try {
            MethodHandles.Lookup own = MethodHandles.lookup();
            MethodType make =
                    MethodType.methodType(
                            ConfinedBox.class, KernelAllocator.class, StructType.class);
            UNINITIALIZED = own.findStatic(ConfinedBox.class, "uninitialized", make);
            ZEROED = own.findStatic(ConfinedBox.class, "zeroed", make);
            CLOSED =
                    own.findStatic(
                            BoxMaker.class,
                            "closed",
                            MethodType.methodType(ConfinedBox.class, StructType.class));
            OPEN =
                    own.findStatic(
                            ConfinedBox.class,
                            "open",
                            MethodType.methodType(
                                    void.class,
                                    ConfinedBox.class,
                                    KernelAllocator.class,
                                    boolean.class));
            SIZE =
                    own.findVirtual(
                            ConfinedBox.class, "byteSize$", MethodType.methodType(long.class));
            ALIGNMENT =
                    own.findVirtual(
                            ConfinedBox.class, "byteAlignment$", MethodType.methodType(long.class));
            FRESH =
                    own.findVirtual(
                            ConfinedBox.class, "fresh$", MethodType.methodType(ConfinedBox.class));
            CURRENT =
                    own.findVirtual(
                            CheckedBlocks.class,
                            "slabForOwned",
                            MethodType.methodType(Slab.class, long.class, long.class));
            TAKE = own.findVirtual(Slab.class, "take", MethodType.methodType(int.class));
            TAKE_SLOWLY =
                    own.findVirtual(
                            CheckedBlocks.class,
                            "takeSlowly",
                            MethodType.methodType(
                                    long.class, long.class, long.class, boolean.class));
            GIVE =
                    own.findVirtual(
                            Slab.class, "tryGive", MethodType.methodType(boolean.class, int.class));
            ZERO =
                    own.findStatic(
                            NativeMemory.class,
                            "zero",
                            MethodType.methodType(void.class, long.class, long.class));
            MethodHandles.Lookup struct =
                    MethodHandles.privateLookupIn(StructType.class, MethodHandles.lookup());
            COMPANION =
                    struct.findVirtual(
                            StructType.class, "companion", MethodType.methodType(Object.class));
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
            Function<StructType<?>, @Nullable Object> maker = new First();
            struct.findStaticVarHandle(StructType.class, "companions", Function.class)
                    .setVolatile(maker);
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

    /** A box that is not open. */
    static ConfinedBox<?> closed(StructType<?> type) throws Throwable {
        // By a call that the JIT has a profile of, which it has not of what a handle calls.
        return type.type() == MemorySegment.class
                ? new SegmentBox<>(type)
                : (ConfinedBox<?>)
                        FRESH.invokeExact((ConfinedBox<?>) (Object) COMPANION.invokeExact(type));
    }

    /** The same for callers that need not be inlined. */
    @SuppressWarnings("unchecked") // a box of the type
    static <T> ConfinedBox<T> closedOf(StructType<T> type) {
        try {
            return (ConfinedBox<T>) closed(type);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    /** Called once for each type; the result belongs to the type for good. */
    private static final class First implements Function<StructType<?>, @Nullable Object> {
        @Override
        public @Nullable Object apply(StructType<?> type) {
            BiFunction<MethodHandle, Long, MethodHandle> access = new Access();
            try {
                MethodHandle constructor =
                        (MethodHandle) BOX_CLASS.invokeExact(type, ConfinedBox.class, KEY, access);
                return constructor == null ? new SegmentBox<>(type) : (Object) constructor.invoke();
            } catch (OutOfMemoryError | LinkageError e) {
                return new SegmentBox<>(type); // slower
            } catch (Throwable e) {
                throw CopyPerType.unchecked(e);
            }
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
