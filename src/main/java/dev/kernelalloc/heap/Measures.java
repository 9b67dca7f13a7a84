package dev.kernelalloc.heap;

/**
 * What a hardened heap does.
 *
 * @param canary behind the bytes asked for
 * @param overwriting what is freed
 * @param pattern with what
 * @param quarantine before a block is used again
 * @param randomOrder of the blocks of a slab
 */
public record Measures(
        boolean canary,
        boolean overwriting,
        byte pattern,
        boolean quarantine,
        boolean randomOrder) {}
