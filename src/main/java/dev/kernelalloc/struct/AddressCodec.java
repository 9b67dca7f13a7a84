package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * An address in memory, accessed as a number: a segment at the address would be an object of the
 * Java heap wherever the JIT does not inline all of its use.
 *
 * @param handle of a layout of {@code long}
 */
record AddressCodec(VarHandle handle, MemoryOrder mode) {

    long get(MemorySegment segment, long offset) {
        return switch (mode) {
            case PLAIN -> (long) handle.get(segment, offset);
            case OPAQUE -> (long) handle.getOpaque(segment, offset);
            case ACQUIRE_RELEASE -> (long) handle.getAcquire(segment, offset);
            case VOLATILE -> (long) handle.getVolatile(segment, offset);
        };
    }

    void set(MemorySegment segment, long offset, long address) {
        switch (mode) {
            case PLAIN -> handle.set(segment, offset, address);
            case OPAQUE -> handle.setOpaque(segment, offset, address);
            case ACQUIRE_RELEASE -> handle.setRelease(segment, offset, address);
            case VOLATILE -> handle.setVolatile(segment, offset, address);
        }
    }
}
