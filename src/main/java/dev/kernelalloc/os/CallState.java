package dev.kernelalloc.os;

import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * The error code of a native call. The linker writes it into a segment that the caller brings,
 * right after the call and before the JVM can make another one that would overwrite it.
 */
public final class CallState {

    /**
     * The layout of a segment for {@code callState}; it holds different codes on different systems.
     */
    public static final StructLayout LAYOUT = Linker.Option.captureStateLayout();

    private CallState() {}

    /**
     * The captured code of that name: {@code "errno"} everywhere, {@code "GetLastError"} on
     * Windows.
     */
    static int read(MemorySegment callState, String name) {
        return callState.get(
                ValueLayout.JAVA_INT, LAYOUT.byteOffset(PathElement.groupElement(name)));
    }
}
