package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** What macOS does in a way of its own. */
interface MacCalls extends PosixCalls {

    /** Returns an error code, and does not set errno. */
    default int posixMemalign(MemorySegment result, long alignment, long bytes) {
        try {
            return (int) Handles.POSIX_MEMALIGN.invokeExact(result, alignment, bytes);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int minherit(long address, long bytes, int inherit, MemorySegment callState) {
        return Downcall.call(Handles.MINHERIT, callState, address, bytes, inherit);
    }

    default int getrlimit(int resource, MemorySegment limits) {
        try {
            return (int) Handles.GETRLIMIT.invokeExact(resource, limits);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Linked when the first of them is used. */
    final class Handles {
        private static final MethodHandle POSIX_MEMALIGN =
                Downcall.linkReplaceable(
                        "posix_memalign",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
        private static final MethodHandle MINHERIT =
                Downcall.link("minherit", Downcall.RANGE_AND_INT, Downcall.ERRNO);
        private static final MethodHandle GETRLIMIT =
                Downcall.link("getrlimit", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

        private Handles() {}
    }
}
