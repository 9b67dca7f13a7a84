package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The page functions of POSIX, unchanged, in addition to those of the C heap; linked in the same
 * way.
 */
interface PosixCalls extends HeapCalls {

    /** An anonymous mapping: no file, offset 0. */
    default long mmap(
            long address, long bytes, int protection, int flags, MemorySegment callState) {
        try {
            return (long)
                    Mmap.HANDLE.invokeExact(callState, address, bytes, protection, flags, -1, 0L);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int munmap(long address, long bytes, MemorySegment callState) {
        return Downcall.call(Munmap.HANDLE, callState, address, bytes);
    }

    default int mprotect(long address, long bytes, int protection, MemorySegment callState) {
        return Downcall.call(Mprotect.HANDLE, callState, address, bytes, protection);
    }

    default int mlock(MemorySegment memory, MemorySegment callState) {
        return Downcall.call(Mlock.HANDLE, callState, memory);
    }

    default int munlock(MemorySegment memory, MemorySegment callState) {
        return Downcall.call(Munlock.HANDLE, callState, memory);
    }

    default int getpagesize() {
        try {
            return (int) GetPageSize.HANDLE.invokeExact();
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** {@code munmap(2)}. */
    final class Munmap {
        private static final MethodHandle HANDLE =
                Downcall.link("munmap", Downcall.RANGE, Downcall.ERRNO);

        private Munmap() {}

        /** Links mmap(2), after what ends its mappings. */
        static MethodHandle linkMmap() {
            return Downcall.link(
                    "mmap",
                    FunctionDescriptor.of(
                            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                            JAVA_LONG),
                    Downcall.ERRNO);
        }
    }

    /** {@code mmap(2)}. */
    final class Mmap {
        static final MethodHandle HANDLE = Munmap.linkMmap();

        private Mmap() {}
    }

    /** {@code mprotect(2)}. */
    final class Mprotect {
        private static final MethodHandle HANDLE =
                Downcall.link("mprotect", Downcall.RANGE_AND_INT, Downcall.ERRNO);

        private Mprotect() {}
    }

    /** {@code munlock(2)}. */
    final class Munlock {
        private static final MethodHandle HANDLE =
                Downcall.link("munlock", Downcall.SEGMENT, Downcall.ERRNO);

        private Munlock() {}

        /** Links mlock(2), after what undoes it. */
        static MethodHandle linkMlock() {
            return Downcall.link("mlock", Downcall.SEGMENT, Downcall.ERRNO);
        }
    }

    /** {@code mlock(2)}. */
    final class Mlock {
        private static final MethodHandle HANDLE = Munlock.linkMlock();

        private Mlock() {}
    }

    /** {@code getpagesize(2)}. */
    final class GetPageSize {
        private static final MethodHandle HANDLE =
                Downcall.link("getpagesize", FunctionDescriptor.of(JAVA_INT));

        private GetPageSize() {}
    }
}
