package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;

/**
 * What every live view is beside its own interface: something that lies in memory. A view can be
 * cast to this type, and an interface that describes a struct may extend it, which adds no member.
 */
public interface StructView {

    /**
     * The memory of the struct, of its exact size; of a struct with a {@link Flexible} member, all
     * memory from its start. Costs no copy.
     *
     * @return a slice with the lifetime and the access rights of the memory that the view was made
     *     from
     */
    MemorySegment asSegment();
}
