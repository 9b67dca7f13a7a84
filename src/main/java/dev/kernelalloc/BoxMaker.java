package dev.kernelalloc;

import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.function.Function;

/**
 * Makes the boxes of one struct type: of a class of their own.
 *
 * <p>The maker is the companion of its type, a constant of the type's code. So where the JIT knows
 * the type it knows the class of the box, and where it knows neither it has seen what each call did
 * for this type, not for all types of the program.
 */
interface BoxMaker {

    /** A box of undefined contents. */
    <T> ConfinedBox<T> uninitialized(KernelAllocator allocator, StructType<T> type);

    /** A box of zeros. */
    <T> ConfinedBox<T> zeroed(KernelAllocator allocator, StructType<T> type);

    /** A box over memory that the caller has. */
    <T> ConfinedBox<T> make(
            StructType<T> type, Arena lifetime, MemorySegment segment, Origin origin);

    /** That of a type. */
    static BoxMaker of(StructType<?> type) {
        Object companion;
        try {
            companion = (Object) Companions.GETTER.invokeExact(type);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
        return companion == null ? Companions.ORIGINAL : (BoxMaker) companion;
    }

    /** The way to what is no business of who uses a struct type. */
    final class Companions {

        private static final CopyPerType COPIES =
                new CopyPerType(
                        BoxOf.class,
                        StructType.class,
                        Arena.class,
                        MemorySegment.class,
                        Origin.class);

        /** Of types known by their layout alone. */
        private static final BoxMaker ORIGINAL = prototype(StructType.of(ValueLayout.JAVA_BYTE));

        private static final MethodHandle GETTER;

        static {
            try {
                MethodHandles.Lookup struct =
                        MethodHandles.privateLookupIn(StructType.class, MethodHandles.lookup());
                GETTER =
                        struct.findVirtual(
                                StructType.class, "companion", MethodType.methodType(Object.class));
                Function<StructType<?>, Object> maker = Companions::makerOf;
                struct.findStaticVarHandle(StructType.class, "companions", Function.class)
                        .setVolatile(maker);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        private Companions() {}

        /** Called once for each type; what it returns is the type's for good. */
        private static Object makerOf(StructType<?> type) {
            try {
                return prototype(type);
            } catch (OutOfMemoryError | LinkageError e) {
                return ORIGINAL; // slower after other types
            }
        }

        /**
         * No box of anything: it makes others. The struct's generated class holds it, so code of
         * the caller's package reaches it by reflection; it must give and take no memory.
         */
        private static BoxMaker prototype(StructType<?> type) {
            Origin nowhere = Origin.Nowhere.INSTANCE;
            try {
                return (BoxMaker)
                        (Object)
                                COPIES.constructor(type)
                                        .invokeExact(
                                                type, Arena.global(), MemorySegment.NULL, nowhere);
            } catch (Throwable e) {
                throw CopyPerType.unchecked(e);
            }
        }
    }
}
