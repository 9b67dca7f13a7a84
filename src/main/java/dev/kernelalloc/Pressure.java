package dev.kernelalloc;

/**
 * A limit that is about to refuse: what a listener is told, by {@link
 * PoolAllocator.Builder#onPressure} or {@link PhysicalAllocator.Builder#onPressure}.
 *
 * @param allocator the tag of the allocator whose limit it is: that was asked for memory, or that
 *     the one asked is a child of
 * @param askedBytes that it has too little left for: what would be taken from the system, which may
 *     be more than the program has asked for
 * @param usedBytes taken within that limit at that moment
 * @param limitBytes the limit
 */
public record Pressure(String allocator, long askedBytes, long usedBytes, long limitBytes) {}
