package dev.kernelalloc;

class SharedPoolTest extends AllocatorContract {

    @Override
    KernelAllocator make() {
        return PoolAllocator.shared();
    }

    @Override
    boolean isClosable() {
        return false;
    }

    @Override
    boolean refusesSimultaneousFrees() {
        return false;
    }
}
