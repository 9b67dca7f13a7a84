package dev.kernelalloc.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * Segments from addresses: the one place where the library vouches for memory that the JVM knows
 * nothing about.
 */
@SuppressWarnings("restricted")
public final class NativeMemory {

    private NativeMemory() {}

    /** A segment that never dies, for any thread. */
    public static MemorySegment segment(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    /**
     * A segment that lives as long as {@code lifetime}, for the threads that may use that arena.
     */
    public static MemorySegment segment(long address, long bytes, Arena lifetime) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, lifetime, null);
    }

    /**
     * The same; when {@code lifetime} is closed, {@code cleanup} gets an equal segment that is
     * still alive.
     */
    public static MemorySegment segment(
            long address, long bytes, Arena lifetime, Consumer<MemorySegment> cleanup) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, lifetime, cleanup);
    }
}
