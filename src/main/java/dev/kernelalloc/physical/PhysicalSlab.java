package dev.kernelalloc.physical;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;

/**
 * Memory that an allocator has prepared as a whole and cuts blocks from. A driver registers it
 * once, instead of every block. Two are equal if they describe the same memory, whatever has become
 * of its guarantees and its location in between.
 *
 * @param memory the whole memory, valid until the listeners for unmapped slabs have run
 * @param guarantees the guarantees of its pages
 * @param provenance how the memory was obtained
 * @param extents its physical location in the order of the memory, adjoining pages merged; the list
 *     makes its elements when they are asked for. Empty unless all pages have known addresses
 */
public record PhysicalSlab(
        MemorySegment memory,
        Set<Guarantee> guarantees,
        Provenance provenance,
        List<PhysicalExtent> extents) {

    @Override
    public boolean equals(Object other) {
        return other instanceof PhysicalSlab slab && memory.equals(slab.memory);
    }

    @Override
    public int hashCode() {
        return memory.hashCode();
    }

    /** Without the extents, of which there may be thousands. */
    @Override
    public String toString() {
        return "PhysicalSlab[memory="
                + memory
                + ", guarantees="
                + guarantees
                + ", provenance="
                + provenance
                + "]";
    }
}
