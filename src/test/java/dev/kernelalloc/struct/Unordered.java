package dev.kernelalloc.struct;

import java.lang.invoke.MethodHandles;

/** Loaded again by a test, without its class file. */
public interface Unordered {
    int first();

    byte second();

    static MethodHandles.Lookup lookup() {
        return MethodHandles.lookup();
    }
}
