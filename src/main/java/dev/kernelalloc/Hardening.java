package dev.kernelalloc;

/**
 * A measure by which a hardened {@link PoolAllocator} detects mistakes. Measures are selected one
 * by one, and each has its own cost; see {@link PoolAllocator.Builder#hardened(Set)}.
 *
 * <p>With any measure, the allocator also records the requested size of each block, so {@link
 * KernelAllocator#usableSize} is that size, and {@link KernelAllocator#reallocate} always returns
 * another block.
 */
public enum Hardening {
    /**
     * If two threads free a raw block at the same instant, one is refused. Every allocator refuses
     * a block that is freed twice, one after the other. Every measure includes this one. Property
     * value: {@code double-free}.
     */
    DOUBLE_FREE,

    /**
     * Freed memory is overwritten at once, see {@link PoolAllocator.Builder#freedMemory}: a late
     * read finds no old contents. Property value: {@code overwrite}.
     */
    OVERWRITE,

    /**
     * A secret of 8 bytes follows the last requested byte. If it has changed, freeing the block, or
     * closing its box or arena, throws an {@link IllegalStateException} with the address and the
     * size of the block, and the block is withheld from use. Property value: {@code canary}.
     */
    CANARY,

    /**
     * A block of up to 16 KiB is reused only after 1,024 others have been freed, or the allocator
     * is trimmed: a late write hits no other owner's block. Property value: {@code quarantine}.
     */
    QUARANTINE,

    /**
     * Blocks of up to 8 KiB leave their slab in random order, up to 64 at a time. The order does
     * not resist an attacker who sees many blocks. A block just freed is still the next one, unless
     * it is in quarantine. Property value: {@code random-order}.
     */
    RANDOM_ORDER;
}
