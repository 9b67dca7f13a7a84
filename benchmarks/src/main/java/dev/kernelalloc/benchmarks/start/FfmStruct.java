package dev.kernelalloc.benchmarks.start;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** A struct in a confined arena, written and read by VarHandles. */
final class FfmStruct {

    private FfmStruct() {}

    /** Started as a program. */
    public static void main(String[] arguments) {
        StructLayout layout =
                MemoryLayout.structLayout(
                        ValueLayout.JAVA_INT.withName("x"), ValueLayout.JAVA_INT.withName("y"));
        VarHandle x = layout.varHandle(PathElement.groupElement("x"));
        VarHandle y = layout.varHandle(PathElement.groupElement("y"));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment struct = arena.allocate(layout);
            x.set(struct, 0L, 1);
            y.set(struct, 0L, 2);
            if ((int) x.get(struct, 0L) + (int) y.get(struct, 0L) != 3) {
                throw new AssertionError();
            }
        }
    }
}
