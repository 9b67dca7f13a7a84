package dev.kernelalloc.physical;

import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * Memory that an allocator has prepared as a whole and cuts blocks from. A driver registers it
 * once, instead of every block.
 *
 * @param memory the whole memory, valid until the listeners for unmapped slabs have run
 * @param guarantees the guarantees of its pages
 * @param provenance how the memory was obtained
 */
public record PhysicalSlab(
        MemorySegment memory, Set<Guarantee> guarantees, Provenance provenance) {}
