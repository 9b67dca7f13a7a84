package dev.kernelalloc;

import dev.kernelalloc.heap.GuardedChunks;
import dev.kernelalloc.physical.PhysicalRequest;

/** The allocators that every container is tested over. */
enum EveryAllocator {
    POOL {
        @Override
        KernelAllocator make() {
            return PoolAllocator.create();
        }
    },
    HARDENED_POOL {
        @Override
        KernelAllocator make() {
            return PoolAllocator.builder().hardened(true).build();
        }
    },
    UNCACHED_POOL {
        @Override
        KernelAllocator make() {
            return PoolAllocator.builder().cacheBytes(0, 0).build();
        }
    },
    /** Who writes behind a block ends the process. */
    GUARDED_POOL {
        @Override
        KernelAllocator make() {
            return PoolAllocator.builder().build(new GuardedChunks());
        }
    },
    SYSTEM_HEAP {
        @Override
        KernelAllocator make() {
            return PoolAllocator.systemHeap();
        }

        @Override
        boolean isClosable() {
            return false;
        }
    },
    PHYSICAL {
        @Override
        KernelAllocator make() {
            return PhysicalAllocator.create();
        }

        @Override
        boolean isPhysical() {
            return true;
        }
    },
    /** Each block has pages of its own, between two that cannot be accessed. */
    GUARDED_PHYSICAL {
        @Override
        KernelAllocator make() {
            return PhysicalAllocator.builder()
                    .request(PhysicalRequest.builder().guarded().build())
                    .build();
        }

        @Override
        boolean isPhysical() {
            return true;
        }
    };

    interface Use {
        void of(KernelAllocator allocator) throws Exception;
    }

    abstract KernelAllocator make();

    boolean isClosable() {
        return true;
    }

    /** Whether it locks what it gives, and knows where it lies. */
    boolean isPhysical() {
        return false;
    }

    /** Uses an allocator; afterwards it must have as many live blocks as before. */
    void use(Use use) throws Exception {
        KernelAllocator allocator = make();
        long before = allocator.stats().liveBlocks();
        use.of(allocator);
        if (allocator.stats().liveBlocks() != before) {
            throw new AssertionError("blocks left: " + allocator);
        }
        if (isClosable()) {
            allocator.close();
        }
    }
}
