package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The page functions of POSIX as they are, on top of the C heap's. */
interface PosixCalls extends HeapCalls {

    /** An anonymous mapping: no file, offset 0. */
    default long mmap(
            long address, long bytes, int protection, int flags, MemorySegment callState) {
        try {
            return (long)
                    Handles.MMAP.invokeExact(callState, address, bytes, protection, flags, -1, 0L);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int munmap(long address, long bytes, MemorySegment callState) {
        return Downcall.call(Handles.MUNMAP, callState, address, bytes);
    }

    default int mprotect(long address, long bytes, int protection, MemorySegment callState) {
        return Downcall.call(Handles.MPROTECT, callState, address, bytes, protection);
    }

    default int mlock(long address, long bytes, MemorySegment callState) {
        return Downcall.call(Handles.MLOCK, callState, address, bytes);
    }

    default int munlock(long address, long bytes, MemorySegment callState) {
        return Downcall.call(Handles.MUNLOCK, callState, address, bytes);
    }

    default int getpagesize() {
        try {
            return (int) Handles.GETPAGESIZE.invokeExact();
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Linked when the first of them is used. */
    final class Handles {
        private static final MethodHandle MMAP =
                Downcall.link(
                        "mmap",
                        FunctionDescriptor.of(
                                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                                JAVA_LONG),
                        Downcall.ERRNO);
        private static final MethodHandle MUNMAP =
                Downcall.link("munmap", Downcall.RANGE, Downcall.ERRNO);
        private static final MethodHandle MPROTECT =
                Downcall.link("mprotect", Downcall.RANGE_AND_INT, Downcall.ERRNO);
        private static final MethodHandle MLOCK =
                Downcall.link("mlock", Downcall.RANGE, Downcall.ERRNO);
        private static final MethodHandle MUNLOCK =
                Downcall.link("munlock", Downcall.RANGE, Downcall.ERRNO);
        private static final MethodHandle GETPAGESIZE =
                Downcall.link("getpagesize", FunctionDescriptor.of(JAVA_INT));

        private Handles() {}
    }
}
