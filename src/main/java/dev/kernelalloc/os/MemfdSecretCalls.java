package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** What memory of memfd_secret(2) is made with. */
interface MemfdSecretCalls {

    /**
     * The system call's number, the same on every processor that has it. Named as in the headers.
     */
    int SYS_memfd_secret = 447;

    /** A new file, or -1. The C library has no function for it. */
    default int memfdSecret(int flags, MemorySegment callState) {
        try {
            return (int)
                    (long)
                            Handles.SYSCALL.invokeExact(
                                    callState, (long) SYS_memfd_secret, (long) flags);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int ftruncate(int file, long bytes, MemorySegment callState) {
        try {
            return (int) Handles.FTRUNCATE.invokeExact(callState, file, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Maps a file from its first byte on. */
    default long mmapFile(
            long address,
            long bytes,
            int protection,
            int flags,
            int file,
            MemorySegment callState) {
        try {
            return (long)
                    Handles.MMAP.invokeExact(
                            callState, address, bytes, protection, flags, file, 0L);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Linked when the first of them is used. */
    final class Handles {
        private static final MethodHandle SYSCALL =
                Downcall.link(
                        "syscall",
                        FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG),
                        Downcall.ERRNO,
                        Linker.Option.firstVariadicArg(1));
        private static final MethodHandle FTRUNCATE =
                Downcall.link(
                        "ftruncate",
                        FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG),
                        Downcall.ERRNO);
        private static final MethodHandle MMAP =
                Downcall.link(
                        "mmap",
                        FunctionDescriptor.of(
                                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                                JAVA_LONG),
                        Downcall.ERRNO);

        private Handles() {}
    }
}
