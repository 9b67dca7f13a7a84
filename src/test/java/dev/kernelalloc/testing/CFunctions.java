package dev.kernelalloc.testing;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The other side of an exchange of memory: functions of the C library. */
@SuppressWarnings("restricted")
public final class CFunctions {

    private static final MethodHandle STRDUP =
            function("strdup", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    private static final MethodHandle FREE =
            function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private CFunctions() {}

    /** A copy of a C string that must be freed; of size 0, as C code hands it over. */
    public static MemorySegment strdup(MemorySegment text) {
        try {
            return (MemorySegment) STRDUP.invokeExact(text);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Frees a block of the C heap. */
    public static void free(MemorySegment block) {
        try {
            FREE.invokeExact(block);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** The same memory, with the size that the caller knows it has. */
    public static MemorySegment withSize(MemorySegment segment, long bytes) {
        return segment.reinterpret(bytes);
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }
}
