package dev.kernelalloc.heap;

/**
 * Memory as its source returned it.
 *
 * @param address the address of the first byte; never 0
 * @param bytes the size in bytes
 * @param zeroed whether it reads as zeros, now and after every discard
 */
public record Chunk(long address, long bytes, boolean zeroed) {}
