package dev.kernelalloc.heap;

/**
 * What a heap may keep.
 *
 * @param tag names the allocator in messages
 * @param threadCacheBytes one thread may hold in its cache
 * @param cacheBytes all caches, the depot and large free blocks may hold together; slabs that are
 *     idle may keep as much again
 */
public record HeapSettings(String tag, long threadCacheBytes, long cacheBytes) {}
