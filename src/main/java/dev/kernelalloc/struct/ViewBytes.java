package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;

/**
 * The bytes of a view, copied to another place.
 *
 * @param flexible whether more follows the struct, of which all is copied
 */
record ViewBytes(Class<?> type, long byteSize, boolean flexible) {

    void set(MemorySegment segment, long offset, Object value) {
        if (!type.isInstance(value) || !(value instanceof StructView view)) {
            throw new IllegalArgumentException(
                    "%s is no view of a %s in memory"
                            .formatted(value.getClass().getName(), type.getSimpleName()));
        }
        MemorySegment source = view.asSegment();
        BulkMemory.copy(source, 0, segment, offset, flexible ? source.byteSize() : byteSize);
    }
}
