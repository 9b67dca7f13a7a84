package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;

/**
 * A typed pointer of memory.
 *
 * @param target what it points to; its struct may be the one that holds the pointer
 * @param pointer the pointer as it is stored
 */
record PointerCodec(StructModel target, AddressCodec pointer) {

    Object get(MemorySegment segment, long offset) {
        return new Pointer<>(target.structType(), pointer.get(segment, offset));
    }

    void set(MemorySegment segment, long offset, Object value) {
        pointer.set(segment, offset, ((Pointer<?>) value).address());
    }
}
