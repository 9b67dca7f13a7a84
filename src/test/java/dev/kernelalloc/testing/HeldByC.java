package dev.kernelalloc.testing;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** A moment at which a C function holds memory. */
@SuppressWarnings("restricted")
public final class HeldByC {

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle QSORT =
            LINKER.downcallHandle(
                    LINKER.defaultLookup().findOrThrow("qsort"),
                    FunctionDescriptor.ofVoid(
                            ValueLayout.ADDRESS,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.ADDRESS));

    private HeldByC() {}

    /** Runs an action while qsort(3) is in the middle of sorting a segment of at least 2 bytes. */
    public static void during(MemorySegment held, Runnable action) {
        Once once = new Once(action);
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle compare =
                    MethodHandles.dropArguments(
                            MethodHandles.lookup()
                                    .bind(once, "compare", MethodType.methodType(int.class)),
                            0,
                            MemorySegment.class,
                            MemorySegment.class);
            MemorySegment callback =
                    LINKER.upcallStub(
                            compare,
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS),
                            arena);
            QSORT.invokeExact(held, 2L, 1L, callback);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        if (once.failure != null) {
            throw new AssertionError(once.failure);
        }
    }

    /** What leaves an upcall as an exception ends the JVM, so it is kept. */
    private static final class Once {

        private final Runnable action;
        private Throwable failure;

        Once(Runnable action) {
            this.action = action;
        }

        @SuppressWarnings("unused") // called from C
        private int compare() {
            try {
                action.run();
            } catch (Throwable e) {
                failure = e;
            }
            return 0;
        }
    }
}
