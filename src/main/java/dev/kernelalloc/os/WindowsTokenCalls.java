package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * The functions of Windows that enable privileges, unchanged. Separate from the others, so that
 * advapi32 is loaded only for privileged requests.
 */
interface WindowsTokenCalls {

    /** A handle is written to {@code token}. */
    default int openProcessToken(
            long process, int access, MemorySegment token, MemorySegment callState) {
        try {
            return (int)
                    TokenHandles.OPEN_PROCESS_TOKEN.invokeExact(callState, process, access, token);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /**
     * @param name of a privilege, in UTF-16 with a 0 behind it
     * @param luid that its number is written to
     */
    default int lookupPrivilegeValue(
            MemorySegment name, MemorySegment luid, MemorySegment callState) {
        try {
            return (int)
                    TokenHandles.LOOKUP_PRIVILEGE_VALUE.invokeExact(
                            callState, MemorySegment.NULL, name, luid);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Succeeds even if it has changed nothing: the error code reports that. */
    default int adjustTokenPrivileges(
            long token, MemorySegment privileges, MemorySegment callState) {
        try {
            return (int)
                    TokenHandles.ADJUST_TOKEN_PRIVILEGES.invokeExact(
                            callState,
                            token,
                            0,
                            privileges,
                            0,
                            MemorySegment.NULL,
                            MemorySegment.NULL);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int closeHandle(long handle) {
        try {
            return (int) TokenHandles.CLOSE_HANDLE.invokeExact(handle);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** Linked when the first of them is used. */
    @SuppressWarnings("restricted")
    final class TokenHandles {
        private static final SymbolLookup SECURITY =
                SymbolLookup.libraryLookup("advapi32", Arena.global());
        private static final Linker.Option LAST_ERROR =
                Linker.Option.captureCallState("GetLastError");

        private static final MethodHandle OPEN_PROCESS_TOKEN =
                Downcall.link(
                        SECURITY,
                        "OpenProcessToken",
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, ADDRESS),
                        LAST_ERROR);
        private static final MethodHandle LOOKUP_PRIVILEGE_VALUE =
                Downcall.link(
                        SECURITY,
                        "LookupPrivilegeValueW",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS),
                        LAST_ERROR);
        private static final MethodHandle ADJUST_TOKEN_PRIVILEGES =
                Downcall.link(
                        SECURITY,
                        "AdjustTokenPrivileges",
                        FunctionDescriptor.of(
                                JAVA_INT, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, ADDRESS),
                        LAST_ERROR);
        private static final MethodHandle CLOSE_HANDLE =
                Downcall.link(
                        SymbolLookup.libraryLookup("kernel32", Arena.global()),
                        "CloseHandle",
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG));

        private TokenHandles() {}
    }
}
