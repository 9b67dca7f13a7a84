package dev.kernelalloc.pool;

import dev.kernelalloc.PoolAllocator;

/** Pools that keep freed blocks in different ways. */
enum PoolKind {
    USUAL,
    UNCACHED,
    HARDENED;

    PoolAllocator make() {
        return switch (this) {
            case USUAL -> PoolAllocator.builder().cacheBytes(8 << 20, 64 << 20).build();
            case UNCACHED -> PoolAllocator.builder().cacheBytes(0, 0).build();
            case HARDENED -> PoolAllocator.builder().hardened(true).build();
        };
    }
}
