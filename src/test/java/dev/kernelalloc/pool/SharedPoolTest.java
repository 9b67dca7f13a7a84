package dev.kernelalloc.pool;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;

class SharedPoolTest extends AllocatorContract {

    @Override
    protected KernelAllocator make() {
        return PoolAllocator.shared();
    }

    @Override
    protected boolean isClosable() {
        return false;
    }
}
