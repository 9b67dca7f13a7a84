package dev.kernelalloc.pool;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;

/** Without caches every call takes the slow path. */
class UncachedPoolTest extends AllocatorContract {

    @Override
    protected KernelAllocator make() {
        return PoolAllocator.builder().cacheBytes(0, 0).build();
    }
}
