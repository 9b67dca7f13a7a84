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
            return (long) Aligned.MALLOC.invokeExact(bytes, alignment);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default void alignedFree(long address) {
        try {
            Aligned.FREE.invokeExact(address);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default long virtualAlloc(
            long address, long bytes, int type, int protection, MemorySegment callState) {
        try {
            return (long) Virtual.ALLOC.invokeExact(callState, address, bytes, type, protection);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int virtualFree(long address, long bytes, int type, MemorySegment callState) {
        return Downcall.call(Virtual.FREE, callState, address, bytes, type);
    }

    default int virtualProtect(
            long address, long bytes, int protection, MemorySegment old, MemorySegment callState) {
        try {
            return (int) Virtual.PROTECT.invokeExact(callState, address, bytes, protection, old);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int virtualLock(MemorySegment memory, MemorySegment callState) {
        return Downcall.call(Locking.LOCK, callState, memory);
    }

    default int virtualUnlock(MemorySegment memory, MemorySegment callState) {
        return Downcall.call(Locking.UNLOCK, callState, memory);
    }

    default int getProcessWorkingSetSizeEx(
            long process,
            MemorySegment minimum,
            MemorySegment maximum,
            MemorySegment flags,
            MemorySegment callState) {
        try {
            return (int) WorkingSet.GET.invokeExact(callState, process, minimum, maximum, flags);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int setProcessWorkingSetSizeEx(
            long process, long minimum, long maximum, int flags, MemorySegment callState) {
        try {
            return (int) WorkingSet.SET.invokeExact(callState, process, minimum, maximum, flags);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default void getSystemInfo(MemorySegment systemInfo) {
        try {
            SystemInfo.GET.invokeExact(systemInfo);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /** 0 where the processor has no large pages. */
    default long getLargePageMinimum() {
        try {
            return (long) LargePageMinimum.GET.invokeExact();
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int globalMemoryStatusEx(MemorySegment status) {
        try {
            return (int) MemoryStatus.GET.invokeExact(status);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    default int lastError(MemorySegment callState) {
        return CallState.read(callState, "GetLastError");
    }

    /** Aligned blocks of the C heap. */
    final class Aligned {
        private static final MethodHandle FREE =
                Downcall.link("_aligned_free", FunctionDescriptor.ofVoid(JAVA_LONG));
        private static final MethodHandle MALLOC =
                Downcall.link("_aligned_malloc", Downcall.TWO_TO_ADDRESS);

        private Aligned() {}

        static MethodHandle freeHandle() {
            return FREE;
        }
    }

    /** Pages. */
    final class Virtual {
        private static final MethodHandle FREE = Kernel.link("VirtualFree", Downcall.RANGE_AND_INT);
        private static final MethodHandle ALLOC =
                Kernel.link(
                        "VirtualAlloc",
                        FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT));
        private static final MethodHandle PROTECT =
                Kernel.link(
                        "VirtualProtect", Downcall.RANGE_AND_INT.appendArgumentLayouts(ADDRESS));

        private Virtual() {}
    }

    /** Locked pages. */
    final class Locking {
        private static final MethodHandle UNLOCK = Kernel.link("VirtualUnlock", Downcall.SEGMENT);
        private static final MethodHandle LOCK = Kernel.link("VirtualLock", Downcall.SEGMENT);

        private Locking() {}
    }

    /** How much may be locked. */
    final class WorkingSet {
        private static final MethodHandle GET =
                Kernel.link(
                        "GetProcessWorkingSetSizeEx",
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS));
        private static final MethodHandle SET =
                Kernel.link(
                        "SetProcessWorkingSetSizeEx",
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT));

        private WorkingSet() {}
    }

    /** {@code GetSystemInfo}. */
    final class SystemInfo {
        private static final MethodHandle GET =
                Downcall.link(Kernel.LIBRARY, "GetSystemInfo", FunctionDescriptor.ofVoid(ADDRESS));

        private SystemInfo() {}
    }

    /** {@code GetLargePageMinimum}. */
    final class LargePageMinimum {
        private static final MethodHandle GET =
                Downcall.link(
                        Kernel.LIBRARY, "GetLargePageMinimum", FunctionDescriptor.of(JAVA_LONG));

        private LargePageMinimum() {}
    }

    /** {@code GlobalMemoryStatusEx}. */
    final class MemoryStatus {
        private static final MethodHandle GET =
                Downcall.link(
                        Kernel.LIBRARY,
                        "GlobalMemoryStatusEx",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS));

        private MemoryStatus() {}
    }

    /** The library that these functions are in. */
    @SuppressWarnings("restricted")
    final class Kernel {
        private static final SymbolLookup LIBRARY =
                SymbolLookup.libraryLookup("kernel32", Arena.global());
        private static final Linker.Option LAST_ERROR =
                Linker.Option.captureCallState("GetLastError");

        private Kernel() {}

        private static MethodHandle link(String name, FunctionDescriptor type) {
            return Downcall.link(LIBRARY, name, type, LAST_ERROR);
        }
    }
}
