package dev.kernelalloc;

/**
 * The levels of leak tracking: of how many blocks an allocator records the allocation site, to
 * report lost ones. See {@link PoolAllocator.Builder#tracking}, {@link
 * PhysicalAllocator.Builder#tracking} and {@link KernelAllocator#tracking(Tracking)}.
 *
 * <p>A block that is not tracked costs only the decision. A tracked block costs about 0.5 KB of the
 * Java heap while it is alive, and a microsecond or two.
 *
 * <p>If a builder sets no level, the system property {@code dev.kernelalloc.tracking} does: {@code
 * off}, {@code sampled} or {@code all}. It is read once.
 */
public enum Tracking {
    /** No tracking. */
    OFF,

    /**
     * Tracks one in 1,024 boxes, containers, arenas and leases, chosen at random, but at most one
     * per millisecond and allocator, with the four callers nearest to the library. Repeated leaks
     * are found, single ones seldom. An allocator that was not closed is always tracked.
     */
    SAMPLED,

    /**
     * Tracks every one, with all callers, and raw blocks, which have no owner that could be lost:
     * those still alive are reported when their allocator is closed.
     */
    ALL;
}
