package dev.kernelalloc.pool;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;

class PoolAllocatorTest extends AllocatorContract {

    @Override
    protected KernelAllocator make() {
        return PoolAllocator.create();
    }
}
