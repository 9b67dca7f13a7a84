package dev.kernelalloc;

/**
 * What an allocator has handed out. Exact when no call on it is under way; otherwise each number is
 * one that was true at some moment while they were read.
 *
 * @param tag the allocator's tag
 * @param liveBlocks blocks handed out and not freed: raw ones, and those of boxes and arenas
 * @param liveBytes bytes of the live blocks, as requested
 * @param capacityBytes bytes taken from the system for them
 * @param allocatedBlocks blocks handed out since the allocator was made
 * @param freedBlocks blocks freed since then; {@code allocatedBlocks - freedBlocks = liveBlocks}
 * @param refusedRequests requests that ended in an {@link AllocationException}
 */
public record AllocatorStats(
        String tag,
        long liveBlocks,
        long liveBytes,
        long capacityBytes,
        long allocatedBlocks,
        long freedBlocks,
        long refusedRequests) {}
