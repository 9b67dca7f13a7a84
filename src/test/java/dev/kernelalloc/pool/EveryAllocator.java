package dev.kernelalloc.pool;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.GuardedChunks;
import dev.kernelalloc.physical.PhysicalRequest;

/** The allocators that every container is tested over. */
public enum EveryAllocator {
    POOL {
        @Override
        public KernelAllocator make() {
            return PoolAllocator.create();
        }
    },
    HARDENED_POOL {
        @Override
        public KernelAllocator make() {
            return PoolAllocator.builder().hardened(true).build();
        }
    },
    UNCACHED_POOL {
        @Override
        public KernelAllocator make() {
            return PoolAllocator.builder().cacheBytes(0, 0).build();
        }
    },
    /** Who writes behind a block ends the process. */
    GUARDED_POOL {
        @Override
        public KernelAllocator make() {
            return PackageAccess.build(PoolAllocator.builder(), new GuardedChunks());
        }
    },
    SYSTEM_HEAP {
        @Override
        public KernelAllocator make() {
            return PoolAllocator.systemHeap();
        }

        @Override
        public boolean isClosable() {
            return false;
        }
    },
    PHYSICAL {
        @Override
        public KernelAllocator make() {
            return PhysicalAllocator.create();
        }

        @Override
        public boolean isPhysical() {
            return true;
        }
    },
    /** Each block has pages of its own, between two that cannot be accessed. */
    GUARDED_PHYSICAL {
        @Override
        public KernelAllocator make() {
            return PhysicalAllocator.builder()
                    .request(PhysicalRequest.builder().guarded().build())
                    .build();
        }

        @Override
        public boolean isPhysical() {
            return true;
        }
    };

    public interface Use {
        void of(KernelAllocator allocator) throws Exception;
    }

    public abstract KernelAllocator make();

    public boolean isClosable() {
        return true;
    }

    /** Whether it locks what it gives, and knows where it lies. */
    public boolean isPhysical() {
        return false;
    }

    /** Uses an allocator; afterwards it must have as many live blocks as before. */
    public void use(Use use) throws Exception {
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
