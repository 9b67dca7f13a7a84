package dev.kernelalloc;

/**
 * A limit that is about to refuse a request, passed to listeners of {@link
 * PoolAllocator.Builder#onPressure} and {@link PhysicalAllocator.Builder#onPressure}.
 *
 * @param allocator the tag of the allocator with the limit: the one that was asked for memory, or
 *     one above it
 * @param askedBytes the bytes that it has too little left for: what would be taken from the system,
 *     which may be more than the program has requested
 * @param usedBytes the bytes taken within that limit at that moment
 * @param limitBytes the limit in bytes
 */
public record Pressure(String allocator, long askedBytes, long usedBytes, long limitBytes) {}
