package dev.kernelalloc.observe;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Tracking;

/**
 * The management interface of an allocator; created by {@link AllocatorBean#register}. Its types
 * are open ones: records are composite data, so a client needs no class of this library.
 */
public interface AllocatorMXBean {

    /**
     * Returns the statistics of the allocator.
     *
     * @return the same as {@link KernelAllocator#stats}
     */
    AllocatorStats getStatistics();

    /**
     * Returns the bytes taken for blocks in use, as a single number for graphs.
     *
     * @return the same as {@link AllocatorStats#live}
     */
    long getLiveBytes();

    /**
     * Returns the bytes of all blocks, used or not, as a single number for graphs.
     *
     * @return the same as {@link AllocatorStats#capacity}
     */
    long getCapacityBytes();

    /**
     * Returns the level of leak tracking.
     *
     * @return the current level
     */
    Tracking getTracking();

    /**
     * Changes the level of leak tracking for blocks allocated from now on.
     *
     * @param level the level
     */
    void setTracking(Tracking level);

    /**
     * Returns who holds memory now, as collapsed stacks weighted by bytes.
     *
     * @return {@link LiveProfile#collapsed} of {@link KernelAllocator#liveGroups}
     */
    String liveStacks();

    /**
     * Returns who holds memory now, as a profile for pprof.
     *
     * @return {@link LiveProfile#pprof} of {@link KernelAllocator#liveGroups}
     */
    byte[] liveProfile();

    /** Returns memory without a live block to the system; see {@link KernelAllocator#trim}. */
    void trim();

    /**
     * Formats the statistics as a table, for people at a console.
     *
     * @return the same as {@link AllocatorStats#describe}
     */
    String describe();
}
