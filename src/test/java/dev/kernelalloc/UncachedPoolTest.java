package dev.kernelalloc;

/** Without caches every call takes the slow path. */
class UncachedPoolTest extends AllocatorContract {

    @Override
    KernelAllocator make() {
        return PoolAllocator.builder().cacheBytes(0, 0).build();
    }

    @Override
    boolean isClosable() {
        return true;
    }

    @Override
    boolean refusesSimultaneousFrees() {
        return false;
    }
}
