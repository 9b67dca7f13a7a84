package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;

/**
 * Implemented by every live view in addition to its own interface: an object with memory. A view
 * can be cast to this type, and an interface that describes a struct may extend it, which adds no
 * member.
 */
public interface StructView {

    /**
     * Returns the memory of the struct, of its exact size; of a struct with a {@link Flexible}
     * member, all memory from its start. Copies nothing.
     *
     * @return a slice with the lifetime and the access rights of the memory of the view
     */
    MemorySegment asSegment();
}
