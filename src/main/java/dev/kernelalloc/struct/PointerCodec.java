package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * A typed pointer of memory.
 *
 * @param target what it points to; its struct may be the one that holds the pointer
 * @param address the pointer as it is stored
 */
record PointerCodec(StructModel target, VarHandle address, AccessMode mode) {

    Object get(MemorySegment segment, long offset) {
        MemorySegment pointer =
                switch (mode) {
                    case PLAIN -> (MemorySegment) address.get(segment, offset);
                    case OPAQUE -> (MemorySegment) address.getOpaque(segment, offset);
                    case ACQUIRE_RELEASE -> (MemorySegment) address.getAcquire(segment, offset);
                    case VOLATILE -> (MemorySegment) address.getVolatile(segment, offset);
                };
        return new Pointer<>(target.structType(), pointer.address());
    }

    void set(MemorySegment segment, long offset, Object value) {
        MemorySegment pointer = MemorySegment.ofAddress(((Pointer<?>) value).address());
        switch (mode) {
            case PLAIN -> address.set(segment, offset, pointer);
            case OPAQUE -> address.setOpaque(segment, offset, pointer);
            case ACQUIRE_RELEASE -> address.setRelease(segment, offset, pointer);
            case VOLATILE -> address.setVolatile(segment, offset, pointer);
        }
    }
}
