package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/**
 * The C heap's functions as they are: 0 is the null pointer. Default methods call the real
 * function; a test overrides them. Addresses and {@code size_t} are passed as {@code long}s: every
 * supported platform has 64 bits.
 *
 * <p>Each handle is the constant of a class of its own, so that a function is linked at its first
 * use: that takes milliseconds, and a process uses few of them.
 */
interface HeapCalls {

    default long malloc(long bytes) {
        try {
            return (long) Malloc.HANDLE.invokeExact(bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long calloc(long count, long bytes) {
        try {
            return (long) Calloc.HANDLE.invokeExact(count, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long realloc(long address, long bytes) {
        try {
            return (long) Realloc.HANDLE.invokeExact(address, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default void free(long address) {
        try {
            Free.HANDLE.invokeExact(address);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** C11; not on Windows. */
    default long alignedAlloc(long alignment, long bytes) {
        try {
            return (long) AlignedAlloc.HANDLE.invokeExact(alignment, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** {@code free(3)}. */
    final class Free {
        private static final MethodHandle HANDLE =
                Downcall.linkReplaceable("free", FunctionDescriptor.ofVoid(JAVA_LONG));

        private Free() {}

        static MethodHandle handle() {
            return HANDLE;
        }

        /** Links a function that allocates, after the one above that frees its blocks. */
        static MethodHandle linkAllocator(String name, FunctionDescriptor type) {
            return Downcall.linkReplaceable(name, type);
        }
    }

    /** {@code malloc(3)}. */
    final class Malloc {
        private static final MethodHandle HANDLE =
                Free.linkAllocator("malloc", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));

        private Malloc() {}
    }

    /** {@code calloc(3)}. */
    final class Calloc {
        private static final MethodHandle HANDLE =
                Free.linkAllocator("calloc", Downcall.TWO_TO_ADDRESS);

        private Calloc() {}
    }

    /** {@code realloc(3)}. */
    final class Realloc {
        private static final MethodHandle HANDLE =
                Free.linkAllocator("realloc", Downcall.TWO_TO_ADDRESS);

        private Realloc() {}
    }

    /** {@code aligned_alloc(3)}. */
    final class AlignedAlloc {
        private static final MethodHandle HANDLE =
                Free.linkAllocator("aligned_alloc", Downcall.TWO_TO_ADDRESS);

        private AlignedAlloc() {}
    }
}
