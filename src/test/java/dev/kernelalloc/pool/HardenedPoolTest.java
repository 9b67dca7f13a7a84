package dev.kernelalloc.pool;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;

class HardenedPoolTest extends AllocatorContract {

    @Override
    protected KernelAllocator make() {
        return PoolAllocator.builder().hardened(true).build();
    }

    @Override
    protected boolean refusesSimultaneousFrees() {
        return true;
    }
}
