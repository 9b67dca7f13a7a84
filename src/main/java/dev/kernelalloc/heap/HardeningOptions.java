package dev.kernelalloc.heap;

/**
 * The measures of a hardened heap.
 *
 * @param canary detects writes beyond the requested bytes
 * @param overwriting overwrites freed memory
 * @param pattern the byte that overwrites it
 * @param quarantine delays the reuse of freed blocks
 * @param randomOrder hands out the blocks of a slab in random order
 */
public record HardeningOptions(
        boolean canary,
        boolean overwriting,
        byte pattern,
        boolean quarantine,
        boolean randomOrder) {}
