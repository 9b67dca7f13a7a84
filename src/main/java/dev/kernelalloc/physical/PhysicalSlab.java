package dev.kernelalloc.physical;

import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * Memory that an allocator has prepared as a whole and cuts blocks from: what a driver registers
 * once, instead of every block.
 *
 * @param memory all of it; valid until the allocator tells that the slab goes
 * @param guarantees what is promised of its pages
 * @param provenance how they were obtained
 */
public record PhysicalSlab(
        MemorySegment memory, Set<Guarantee> guarantees, Provenance provenance) {}
