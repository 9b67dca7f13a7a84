package dev.kernelalloc.heap;

/**
 * Memory as its source gave it.
 *
 * @param address of the first byte; never 0
 * @param bytes of it
 * @param zeroed whether it reads as zeros, and again so after every discard
 */
public record Chunk(long address, long bytes, boolean zeroed) {}
