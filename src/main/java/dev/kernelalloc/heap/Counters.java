package dev.kernelalloc.heap;

/**
 * Where the bytes of a heap are. At every quiet point {@code liveBytes + cachedBytes + depotBytes +
 * freeBytes + quarantinedBytes = capacityBytes}.
 *
 * @param liveBlocks blocks in use
 * @param liveBytes their bytes, as taken for them
 * @param cachedBytes in the caches of threads
 * @param depotBytes in magazines between threads
 * @param freeBytes in slabs, and in large chunks that no block uses
 * @param quarantinedBytes freed, and kept from use for a while
 * @param capacityBytes of all blocks, used or not
 * @param refusedRequests requests for which there was no memory
 */
public record Counters(
        long liveBlocks,
        long liveBytes,
        long cachedBytes,
        long depotBytes,
        long freeBytes,
        long quarantinedBytes,
        long capacityBytes,
        long refusedRequests) {}
