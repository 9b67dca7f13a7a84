package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * An address in memory.
 *
 * @param handle of an {@link java.lang.foreign.AddressLayout}
 */
record AddressCodec(VarHandle handle, MemoryOrder mode) {

    long get(MemorySegment segment, long offset) {
        MemorySegment pointer =
                switch (mode) {
                    case PLAIN -> (MemorySegment) handle.get(segment, offset);
                    case OPAQUE -> (MemorySegment) handle.getOpaque(segment, offset);
                    case ACQUIRE_RELEASE -> (MemorySegment) handle.getAcquire(segment, offset);
                    case VOLATILE -> (MemorySegment) handle.getVolatile(segment, offset);
                };
        return pointer.address();
    }

    void set(MemorySegment segment, long offset, long address) {
        MemorySegment pointer = MemorySegment.ofAddress(address);
        switch (mode) {
            case PLAIN -> handle.set(segment, offset, pointer);
            case OPAQUE -> handle.setOpaque(segment, offset, pointer);
            case ACQUIRE_RELEASE -> handle.setRelease(segment, offset, pointer);
            case VOLATILE -> handle.setVolatile(segment, offset, pointer);
        }
    }
}
