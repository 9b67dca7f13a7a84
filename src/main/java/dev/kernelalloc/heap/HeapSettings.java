package dev.kernelalloc.heap;

/**
 * The limits on the memory that a heap keeps.
 *
 * @param tag the name of the allocator in messages
 * @param threadCacheBytes the limit for the cache of one thread
 * @param cacheBytes the limit for all caches and idle large blocks together, and again for idle
 *     granules
 */
public record HeapSettings(String tag, long threadCacheBytes, long cacheBytes) {}
