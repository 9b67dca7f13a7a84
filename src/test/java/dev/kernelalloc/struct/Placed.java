package dev.kernelalloc.struct;

import java.lang.invoke.MethodHandles;

/** Loaded again by a test, without its class file; the offsets say what the order would. */
public interface Placed {
    @Offset(0)
    int first();

    @Offset(4)
    byte second();

    static MethodHandles.Lookup lookup() {
        return MethodHandles.lookup();
    }
}
