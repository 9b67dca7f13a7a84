package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The functions that Linux has beyond POSIX, and files by descriptor. */
interface LinuxCalls extends PosixCalls {

    /** The number of memfd_secret(2), the same on every processor that has it. */
    int SYS_memfd_secret = 447;

    int RLIMIT_NOFILE = 7;
    int RLIMIT_MEMLOCK = 8;

    default int madvise(long address, long bytes, int advice, MemorySegment callState) {
        return Downcall.call(Madvise.HANDLE, callState, address, bytes, advice);
    }

    /** The same of a segment, whose arena cannot be closed until it returns. */
    default int madvise(MemorySegment memory, int advice, MemorySegment callState) {
        try {
            return (int)
                    MadviseSegment.HANDLE.invokeExact(callState, memory, memory.byteSize(), advice);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int mincore(long address, long bytes, MemorySegment resident, MemorySegment callState) {
        try {
            return (int) Mincore.HANDLE.invokeExact(callState, address, bytes, resident);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** A mapping of a file. */
    default long mmap(
            long address,
            long bytes,
            int protection,
            int flags,
            int file,
            long offset,
            MemorySegment callState) {
        try {
            return (long)
                    Mmap.HANDLE.invokeExact(
                            callState, address, bytes, protection, flags, file, offset);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long mremap(
            long from, long oldBytes, long newBytes, int flags, long to, MemorySegment callState) {
        try {
            return (long) Mremap.HANDLE.invokeExact(callState, from, oldBytes, newBytes, flags, to);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int prctl(
            int option,
            long what,
            long address,
            long bytes,
            MemorySegment text,
            MemorySegment callState) {
        try {
            return (int) Prctl.HANDLE.invokeExact(callState, option, what, address, bytes, text);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int ioctl(int file, long command, MemorySegment argument, MemorySegment callState) {
        try {
            return (int) Ioctl.HANDLE.invokeExact(callState, file, command, argument);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Calls the system calls that the C library has no function for; missing arguments are 0. */
    default long syscall(
            long number,
            long first,
            long second,
            long third,
            long fourth,
            long fifth,
            long sixth,
            MemorySegment callState) {
        try {
            return (long)
                    Syscall.HANDLE.invokeExact(
                            callState, number, first, second, third, fourth, fifth, sixth);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** A new file, or -1. The C library has no function for it. */
    default int memfdSecret(int flags, MemorySegment callState) {
        return (int) syscall(SYS_memfd_secret, flags, 0, 0, 0, 0, 0, callState);
    }

    default int ftruncate(int file, long bytes, MemorySegment callState) {
        try {
            return (int) Ftruncate.HANDLE.invokeExact(callState, file, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int open(MemorySegment path, int flags, MemorySegment callState) {
        try {
            return (int) Open.HANDLE.invokeExact(callState, path, flags);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long pread(
            int file, MemorySegment buffer, long bytes, long position, MemorySegment callState) {
        try {
            return (long) Pread.HANDLE.invokeExact(callState, file, buffer, bytes, position);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** The soft limit of {@code RLIMIT_MEMLOCK}; negative, which no limit is, where refused. */
    default long lockLimit() {
        return softLimit(RLIMIT_MEMLOCK);
    }

    /** The soft limit of {@code RLIMIT_NOFILE}; negative where refused. */
    default long fileLimit() {
        return softLimit(RLIMIT_NOFILE);
    }

    private static long softLimit(int resource) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment limits = arena.allocate(GetRlimit.LIMITS_BYTES, Long.BYTES);
            int result = (int) GetRlimit.HANDLE.invokeExact(resource, limits);
            long soft = limits.get(JAVA_LONG, 0);
            return result != 0 ? -1 : soft < 0 ? Long.MAX_VALUE : soft; // RLIM_INFINITY is ~0
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int close(int file) {
        try {
            return (int) Close.HANDLE.invokeExact(file);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** {@code madvise(2)}. */
    final class Madvise {
        private static final MethodHandle HANDLE =
                Downcall.link("madvise", Downcall.RANGE_AND_INT, Downcall.ERRNO);

        private Madvise() {}
    }

    /** {@code madvise(2)}, in a shape that is linked for memory of the program alone. */
    final class MadviseSegment {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "madvise",
                        Downcall.SEGMENT.appendArgumentLayouts(JAVA_INT),
                        Downcall.ERRNO);

        private MadviseSegment() {}
    }

    /** {@code mincore(2)}. */
    final class Mincore {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "mincore", Downcall.RANGE.appendArgumentLayouts(ADDRESS), Downcall.ERRNO);

        private Mincore() {}
    }

    /** {@code ftruncate(2)}. */
    final class Ftruncate {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "ftruncate",
                        FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG),
                        Downcall.ERRNO);

        private Ftruncate() {}
    }

    /** {@code mremap(2)}. */
    final class Mremap {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "mremap",
                        FunctionDescriptor.of(
                                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG),
                        Downcall.ERRNO,
                        Linker.Option.firstVariadicArg(4));

        private Mremap() {}
    }

    /** {@code prctl(2)}. */
    final class Prctl {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "prctl",
                        FunctionDescriptor.of(
                                JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS),
                        Downcall.ERRNO,
                        Linker.Option.firstVariadicArg(1));

        private Prctl() {}
    }

    /** {@code ioctl(2)}. */
    final class Ioctl {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "ioctl",
                        FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
                        Downcall.ERRNO,
                        Linker.Option.firstVariadicArg(2));

        private Ioctl() {}
    }

    /** {@code syscall(2)}. */
    final class Syscall {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "syscall",
                        FunctionDescriptor.of(
                                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
                                JAVA_LONG, JAVA_LONG),
                        Downcall.ERRNO,
                        Linker.Option.firstVariadicArg(1));

        private Syscall() {}
    }

    /** {@code open(2)}. */
    final class Open {
        private static final MethodHandle HANDLE = Close.linkOpen();

        private Open() {}
    }

    /** {@code pread(2)}. */
    final class Pread {
        private static final MethodHandle HANDLE =
                Downcall.link(
                        "pread",
                        FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG),
                        Downcall.ERRNO);

        private Pread() {}
    }

    /** {@code close(2)}. */
    final class Close {
        private static final MethodHandle HANDLE =
                Downcall.link("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

        private Close() {}

        /** Links open(2), after what closes its files. */
        static MethodHandle linkOpen() {
            return Downcall.link(
                    "open",
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
                    Downcall.ERRNO,
                    Linker.Option.firstVariadicArg(2));
        }
    }

    /** {@code getrlimit(2)}. */
    final class GetRlimit {

        /** {@code struct rlimit}: the soft and the hard limit. */
        private static final long LIMITS_BYTES = 2 * Long.BYTES;

        private static final MethodHandle HANDLE =
                Downcall.link("getrlimit", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

        private GetRlimit() {}
    }
}
