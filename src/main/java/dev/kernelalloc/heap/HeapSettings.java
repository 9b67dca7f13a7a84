package dev.kernelalloc.heap;

/**
 * The limits of what a heap keeps.
 *
 * @param tag names the allocator in messages
 * @param threadCacheBytes the limit for the cache of one thread
 * @param cacheBytes the limit for all caches and idle large blocks together, and again for idle
 *     granules
 */
public record HeapSettings(String tag, long threadCacheBytes, long cacheBytes) {}
