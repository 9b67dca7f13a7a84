package dev.kernelalloc;

/**
 * Where the memory of an allocator is. Exact when no call on it is under way; otherwise each number
 * is one that was true at some moment while they were read.
 *
 * <p>At every quiet moment {@code liveBytes + cachedBytes + depotBytes + freeBytes +
 * quarantinedBytes = capacityBytes}.
 *
 * @param tag the allocator's tag
 * @param liveBlocks blocks in use: raw ones, and those of boxes and arenas
 * @param liveBytes bytes taken for them, which is what may be used of them
 * @param cachedBytes free, in the caches of threads
 * @param depotBytes free, on the way from threads that free to threads that allocate
 * @param freeBytes free otherwise
 * @param quarantinedBytes freed and kept from use, by a hardened allocator
 * @param capacityBytes taken from the system for blocks, used or not; pages among them that are
 *     free may have gone back already
 * @param refusedRequests requests that ended in an {@link AllocationException}
 */
public record AllocatorStats(
        String tag,
        long liveBlocks,
        long liveBytes,
        long cachedBytes,
        long depotBytes,
        long freeBytes,
        long quarantinedBytes,
        long capacityBytes,
        long refusedRequests) {}
