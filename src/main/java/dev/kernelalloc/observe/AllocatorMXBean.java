package dev.kernelalloc.observe;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Tracking;

import java.util.List;
import java.util.Map;

/**
 * The management interface of an allocator; created by {@link AllocatorBean#register}. Its types
 * are open ones: statistics are composite data, so a client needs no class of this library.
 */
public interface AllocatorMXBean {

    /**
     * Returns the statistics of the allocator.
     *
     * @return the same as {@link KernelAllocator#stats}
     */
    Statistics getStatistics();

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

    /**
     * The {@link AllocatorStats} as composite data. Management proxies implement it; attributes may
     * be added.
     */
    interface Statistics {

        /**
         * Returns the tag of the allocator.
         *
         * @return the same as {@link AllocatorStats#tag}
         */
        String getTag();

        /**
         * Returns the number of allocators that are added up.
         *
         * @return the same as {@link AllocatorStats#allocators}
         */
        int getAllocators();

        /**
         * Returns the blocks in use.
         *
         * @return the same as {@link AllocatorStats#live}
         */
        AllocatorStats.Amount getLive();

        /**
         * Returns the free blocks in the caches of threads.
         *
         * @return the same as {@link AllocatorStats#cached}
         */
        AllocatorStats.Amount getCached();

        /**
         * Returns the blocks freed by another thread, not yet collected.
         *
         * @return the same as {@link AllocatorStats#remote}
         */
        AllocatorStats.Amount getRemote();

        /**
         * Returns all other free blocks.
         *
         * @return the same as {@link AllocatorStats#free}
         */
        AllocatorStats.Amount getFree();

        /**
         * Returns the freed blocks withheld from use.
         *
         * @return the same as {@link AllocatorStats#quarantined}
         */
        AllocatorStats.Amount getQuarantined();

        /**
         * Returns all blocks.
         *
         * @return the same as {@link AllocatorStats#capacity}
         */
        AllocatorStats.Amount getCapacity();

        /**
         * Returns the largest capacity so far, in bytes.
         *
         * @return the same as {@link AllocatorStats#peakBytes}
         */
        long getPeakBytes();

        /**
         * Returns the blocks cut from slabs, by size.
         *
         * @return the same as {@link AllocatorStats#sizeClasses}
         */
        List<AllocatorStats.SizeClass> getSizeClasses();

        /**
         * Returns the blocks that are not cut from slabs.
         *
         * @return the same as {@link AllocatorStats#large}
         */
        AllocatorStats.Large getLarge();

        /**
         * Returns the memory taken from the system.
         *
         * @return the same as {@link AllocatorStats#chunks}
         */
        List<AllocatorStats.Chunks> getChunks();

        /**
         * Returns the refused requests by reason.
         *
         * @return the same as {@link AllocatorStats#refusals}
         */
        Map<AllocationException.Reason, Long> getRefusals();
    }
}
