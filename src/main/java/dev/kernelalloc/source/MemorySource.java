package dev.kernelalloc.source;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Supplies the memory of a pool allocator, in large ranges from which the pool cuts its blocks: a
 * file or a memfd that other processes map, hugetlbfs, DAX, memory of a device.
 *
 * {@snippet lang = java :
 * FileChannel file = FileChannel.open(path, CREATE, READ, WRITE); // "/dev/hugepages/pool"
 * AtomicLong end = new AtomicLong();
 * MemorySource pages =
 *         (bytes, alignment, lifetime) -> {
 *             long size = (bytes + (2 << 20) - 1) & -(2L << 20);
 *             return Optional.of(file.map(READ_WRITE, end.getAndAdd(size), size, lifetime));
 *         };
 * try (PoolAllocator pool = PoolAllocator.builder().source(pages).build()) {
 *     serve(pool);
 * }
 * }
 *
 * <p>Any thread may call a source, and several may at once. It must not use the pool.
 */
@FunctionalInterface
public interface MemorySource {

    /** The default of {@link #rangeBytes}. */
    long DEFAULT_RANGE_BYTES = 2L << 20;

    /**
     * Obtains memory that nothing else uses until it is released. Its contents may be anything.
     *
     * <p>The segment must live until then: either it is of {@code lifetime}, which the pool closes
     * after {@link #release}, so that memory allocated or mapped with it needs nothing else; or it
     * is of the global scope, and {@link #release} frees it.
     *
     * @param bytes the least size in bytes: that of a range, or of one block that is larger
     * @param alignment the least alignment in bytes, a power of two
     * @param lifetime an arena for all threads, which only the pool can close
     * @return the memory, which may be larger; empty if there is no more
     * @throws IOException if the memory cannot be mapped; the request fails, as if there were none
     */
    Optional<MemorySegment> obtain(long bytes, long alignment, Arena lifetime) throws IOException;

    /**
     * Releases memory, before its lifetime ends. Its exceptions are logged. A lifetime that cannot
     * end, because a system call or a downcall uses a segment of it, is logged too, and ends within
     * seconds after that call. No lock of the pool is held.
     *
     * @param memory a segment that {@link #obtain} returned
     */
    default void release(MemorySegment memory) {}

    /**
     * Returns the size of the ranges from which blocks are cut; smaller ones are tried if one is
     * refused. Called once, when a pool is created.
     *
     * @return the size in bytes, a multiple of 64 KiB
     */
    default long rangeBytes() {
        return DEFAULT_RANGE_BYTES;
    }
}
