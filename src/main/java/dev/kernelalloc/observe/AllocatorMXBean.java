package dev.kernelalloc.observe;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Tracking;

/**
 * An allocator as management tools see it; made by {@link AllocatorBean#register}. Its types are
 * open ones: records are composite data, so a client needs no class of this library.
 */
public interface AllocatorMXBean {

    /**
     * Where the memory of the allocator is now.
     *
     * @return as of {@link KernelAllocator#stats}
     */
    AllocatorStats getStatistics();

    /**
     * Bytes taken for blocks in use: one number to draw.
     *
     * @return as in {@link AllocatorStats#live}
     */
    long getLiveBytes();

    /**
     * Bytes of all blocks, used or not: one number to draw.
     *
     * @return as in {@link AllocatorStats#capacity}
     */
    long getCapacityBytes();

    /**
     * Of how many blocks is remembered where they were made.
     *
     * @return the current level
     */
    Tracking getTracking();

    /**
     * Changes that for blocks that are taken from now on.
     *
     * @param level the level
     */
    void setTracking(Tracking level);

    /** Gives memory that no block uses back to the system; see {@link KernelAllocator#trim}. */
    void trim();

    /**
     * The statistics as a table, for a person at a console.
     *
     * @return as of {@link AllocatorStats#describe}
     */
    String describe();
}
