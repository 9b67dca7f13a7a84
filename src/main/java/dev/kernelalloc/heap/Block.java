package dev.kernelalloc.heap;

/**
 * A block as its source gave it. Where it came from is data, never guessed from its address.
 *
 * @param address of the first byte; never 0
 * @param bytes as requested; may be 0
 * @param capacityBytes taken from the source, not less than {@code bytes} and not 0
 * @param origin the call that made it, and so the one that takes it back
 */
public record Block(long address, long bytes, long capacityBytes, Origin origin) {

    /** How a block was obtained. */
    public enum Origin {
        /** By malloc or calloc. */
        C_HEAP,
        /** By the C heap's aligned allocation, whose release may be another function. */
        C_HEAP_ALIGNED,
        /** As pages of its own. */
        PAGES
    }

    /** Whether the byte at {@code other} lies in this block. */
    boolean covers(long other) {
        return Long.compareUnsigned(other - address, capacityBytes) < 0;
    }
}
