package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The calls that are specific to macOS. */
interface MacCalls extends PosixCalls {

    /** Returns an error code, and does not set errno. */
    default int posixMemalign(MemorySegment result, long alignment, long bytes) {
        try {
            return (int) PosixMemalign.HANDLE.invokeExact(result, alignment, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int minherit(long address, long bytes, int inherit, MemorySegment callState) {
        return Downcall.call(Minherit.HANDLE, callState, address, bytes, inherit);
    }

    default int getrlimit(int resource, MemorySegment limits) {
        try {
            return (int) GetRlimit.HANDLE.invokeExact(resource, limits);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** {@code posix_memalign(3)}. */
    final class PosixMemalign {
        private static final MethodHandle HANDLE =
                Free.linkAllocator(
                        "posix_memalign",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));

        private PosixMemalign() {}
    }

    /** {@code minherit(2)}. */
    final class Minherit {
        private static final MethodHandle HANDLE =
                Downcall.link("minherit", Downcall.RANGE_AND_INT, Downcall.ERRNO);

        private Minherit() {}
    }

    /** {@code getrlimit(2)}. */
    final class GetRlimit {
        private static final MethodHandle HANDLE =
                Downcall.link("getrlimit", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

        private GetRlimit() {}
    }
}
