package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/**
 * The C heap's functions as they are: 0 is the null pointer. Default methods call the real
 * function, linked at its first use; a test overrides them.
 */
interface HeapCalls {

    default long malloc(long bytes) {
        try {
            return (long) Handles.MALLOC.invokeExact(bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long calloc(long count, long bytes) {
        try {
            return (long) Handles.CALLOC.invokeExact(count, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long realloc(long address, long bytes) {
        try {
            return (long) Handles.REALLOC.invokeExact(address, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default void free(long address) {
        try {
            Handles.FREE.invokeExact(address);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** C11; not on Windows. */
    default long alignedAlloc(long alignment, long bytes) {
        try {
            return (long) AlignedHandle.ALIGNED_ALLOC.invokeExact(alignment, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /**
     * Addresses and {@code size_t} are passed as {@code long}s: every supported platform has 64
     * bits.
     */
    final class Handles {
        static final MethodHandle MALLOC =
                Downcall.linkReplaceable("malloc", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
        static final MethodHandle CALLOC =
                Downcall.linkReplaceable(
                        "calloc", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
        static final MethodHandle REALLOC =
                Downcall.linkReplaceable(
                        "realloc", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
        static final MethodHandle FREE =
                Downcall.linkReplaceable("free", FunctionDescriptor.ofVoid(JAVA_LONG));

        private Handles() {}
    }

    /** Apart from the others, which exist everywhere. */
    final class AlignedHandle {
        static final MethodHandle ALIGNED_ALLOC =
                Downcall.linkReplaceable(
                        "aligned_alloc", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));

        private AlignedHandle() {}
    }
}
