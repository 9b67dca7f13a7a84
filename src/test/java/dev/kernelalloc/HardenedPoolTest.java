package dev.kernelalloc;

class HardenedPoolTest extends AllocatorContract {

    @Override
    KernelAllocator make() {
        return PoolAllocator.builder().hardened(true).build();
    }

    @Override
    boolean isClosable() {
        return true;
    }
}
