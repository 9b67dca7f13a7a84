package dev.kernelalloc.struct;

import java.lang.invoke.VarHandle;

/** The memory orders of accesses to a member, in the terms of {@link VarHandle}. */
public enum MemoryOrder {
    /** An ordinary access: the compiler may merge, move or repeat it. */
    PLAIN(VarHandle.AccessMode.GET, VarHandle.AccessMode.SET),
    /** Every access takes place, whole, in program order with others to the same member. */
    OPAQUE(VarHandle.AccessMode.GET_OPAQUE, VarHandle.AccessMode.SET_OPAQUE),
    /**
     * A read is an acquire: writes before the matching release are visible after it. A write is
     * that release.
     */
    ACQUIRE_RELEASE(VarHandle.AccessMode.GET_ACQUIRE, VarHandle.AccessMode.SET_RELEASE),
    /** Like a Java {@code volatile} field: all accesses of all threads have one order. */
    VOLATILE(VarHandle.AccessMode.GET_VOLATILE, VarHandle.AccessMode.SET_VOLATILE);

    private final VarHandle.AccessMode reading;
    private final VarHandle.AccessMode writing;

    MemoryOrder(VarHandle.AccessMode reading, VarHandle.AccessMode writing) {
        this.reading = reading;
        this.writing = writing;
    }

    VarHandle.AccessMode reading() {
        return reading;
    }

    VarHandle.AccessMode writing() {
        return writing;
    }
}
