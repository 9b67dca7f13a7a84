package dev.kernelalloc.stress;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.PoolAllocator;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The checks of arbiters on blocks, and on their pool. */
final class Blocks {

    private Blocks() {}

    /** Closes a pool, which reports blocks in use: here the other thread may have one. */
    static void close(PoolAllocator pool) {
        try {
            pool.close();
        } catch (IllegalStateException e) {
            if (!e.getMessage().contains("is closed with")) {
                throw e;
            }
        }
    }

    /** The block holds what its owner wrote, 7 everywhere, and can be freed once. */
    static String useAndFree(PoolAllocator pool, MemorySegment block) {
        if (!isFilledWith(block, (byte) 7)) {
            return "overwritten";
        }
        pool.free(block);
        return "used and freed";
    }

    static boolean isFilledWith(MemorySegment block, byte value) {
        for (long i = 0; i < block.byteSize(); i++) {
            if (block.get(ValueLayout.JAVA_BYTE, i) != value) {
                return false;
            }
        }
        return true;
    }

    /**
     * Returns whether a pool without blocks in use adds up.
     *
     * @param empty whether nothing may be left: without caches no other thread has a block to
     *     return
     */
    static String accountOf(PoolAllocator pool, boolean empty) {
        AllocatorStats now = pool.stats();
        long sum =
                now.liveBytes()
                        + now.cachedBytes()
                        + now.remoteBytes()
                        + now.freeBytes()
                        + now.quarantinedBytes();
        boolean addsUp = now.liveBlocks() == 0 && sum == now.capacityBytes();
        return addsUp && (!empty || now.capacityBytes() == 0) ? "returned" : now.toString();
    }
}
