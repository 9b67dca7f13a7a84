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

/** The functions of kernel32 and of the C runtime as they are: a BOOL of 0 is failure. */
interface WindowsCalls extends HeapCalls, WindowsTokenCalls {

    default long alignedMalloc(long bytes, long alignment) {
        try {
            return (long) Handles.ALIGNED_MALLOC.invokeExact(bytes, alignment);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default void alignedFree(long address) {
        try {
            Handles.ALIGNED_FREE.invokeExact(address);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long virtualAlloc(
            long address, long bytes, int type, int protection, MemorySegment callState) {
        try {
            return (long)
                    Handles.VIRTUAL_ALLOC.invokeExact(callState, address, bytes, type, protection);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int virtualFree(long address, long bytes, int type, MemorySegment callState) {
        return Downcall.call(Handles.VIRTUAL_FREE, callState, address, bytes, type);
    }

    default int virtualProtect(
            long address, long bytes, int protection, MemorySegment old, MemorySegment callState) {
        try {
            return (int)
                    Handles.VIRTUAL_PROTECT.invokeExact(callState, address, bytes, protection, old);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int virtualLock(long address, long bytes, MemorySegment callState) {
        return Downcall.call(Handles.VIRTUAL_LOCK, callState, address, bytes);
    }

    default int virtualUnlock(long address, long bytes, MemorySegment callState) {
        return Downcall.call(Handles.VIRTUAL_UNLOCK, callState, address, bytes);
    }

    default int getProcessWorkingSetSizeEx(
            long process,
            MemorySegment minimum,
            MemorySegment maximum,
            MemorySegment flags,
            MemorySegment callState) {
        try {
            return (int)
                    Handles.GET_WORKING_SET.invokeExact(
                            callState, process, minimum, maximum, flags);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int setProcessWorkingSetSizeEx(
            long process, long minimum, long maximum, int flags, MemorySegment callState) {
        try {
            return (int)
                    Handles.SET_WORKING_SET.invokeExact(
                            callState, process, minimum, maximum, flags);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default void getSystemInfo(MemorySegment systemInfo) {
        try {
            Handles.GET_SYSTEM_INFO.invokeExact(systemInfo);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** 0 where the processor has no large pages. */
    default long getLargePageMinimum() {
        try {
            return (long) Handles.GET_LARGE_PAGE_MINIMUM.invokeExact();
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int globalMemoryStatusEx(MemorySegment status) {
        try {
            return (int) Handles.GLOBAL_MEMORY_STATUS.invokeExact(status);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int lastError(MemorySegment callState) {
        return CallState.read(callState, "GetLastError");
    }

    /** Linked when the first of them is used. */
    @SuppressWarnings("restricted")
    final class Handles {
        private static final SymbolLookup KERNEL =
                SymbolLookup.libraryLookup("kernel32", Arena.global());
        private static final Linker.Option LAST_ERROR =
                Linker.Option.captureCallState("GetLastError");

        private static final MethodHandle ALIGNED_MALLOC =
                Downcall.link(
                        "_aligned_malloc", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
        private static final MethodHandle ALIGNED_FREE =
                Downcall.link("_aligned_free", FunctionDescriptor.ofVoid(JAVA_LONG));
        private static final MethodHandle VIRTUAL_ALLOC =
                kernel(
                        "VirtualAlloc",
                        FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT));
        private static final MethodHandle VIRTUAL_FREE =
                kernel("VirtualFree", Downcall.RANGE_AND_INT);
        private static final MethodHandle VIRTUAL_PROTECT =
                kernel("VirtualProtect", Downcall.RANGE_AND_INT.appendArgumentLayouts(ADDRESS));
        private static final MethodHandle VIRTUAL_LOCK = kernel("VirtualLock", Downcall.RANGE);
        private static final MethodHandle VIRTUAL_UNLOCK = kernel("VirtualUnlock", Downcall.RANGE);
        private static final MethodHandle GET_WORKING_SET =
                kernel(
                        "GetProcessWorkingSetSizeEx",
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS));
        private static final MethodHandle SET_WORKING_SET =
                kernel(
                        "SetProcessWorkingSetSizeEx",
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT));
        private static final MethodHandle GET_SYSTEM_INFO =
                Downcall.link(KERNEL, "GetSystemInfo", FunctionDescriptor.ofVoid(ADDRESS));
        private static final MethodHandle GET_LARGE_PAGE_MINIMUM =
                Downcall.link(KERNEL, "GetLargePageMinimum", FunctionDescriptor.of(JAVA_LONG));
        private static final MethodHandle GLOBAL_MEMORY_STATUS =
                Downcall.link(
                        KERNEL, "GlobalMemoryStatusEx", FunctionDescriptor.of(JAVA_INT, ADDRESS));

        private Handles() {}

        private static MethodHandle kernel(String name, FunctionDescriptor type) {
            return Downcall.link(KERNEL, name, type, LAST_ERROR);
        }
    }
}
