package dev.kernelalloc;

class PoolAllocatorTest extends AllocatorContract {

    @Override
    KernelAllocator make() {
        return PoolAllocator.create();
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
