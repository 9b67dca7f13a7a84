package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;

/**
 * The one restricted call of this package. It is here, and not in generated code, because that code
 * belongs to the module of the caller, which may lack native access.
 */
final class Pointers {

    private Pointers() {}

    /**
     * The memory at an address, for as many bytes as the caller of {@link Pointer#segment} vouches
     * for.
     */
    @SuppressWarnings("restricted")
    static MemorySegment memory(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }
}
