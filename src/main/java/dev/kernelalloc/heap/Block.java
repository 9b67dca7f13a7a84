package dev.kernelalloc.heap;

/**
 * A block as its source returned it. The origin is recorded, never guessed from the address.
 *
 * @param address the address of the first byte; never 0
 * @param bytes the requested size; may be 0
 * @param capacityBytes the size obtained from the source, not less than {@code bytes} and not 0
 * @param origin the call that allocated it, which determines the call that frees it
 */
public record Block(long address, long bytes, long capacityBytes, Origin origin) {

    /** How a block was allocated. */
    public enum Origin {
        /** With malloc or calloc. */
        C_HEAP,
        /** With the C heap's aligned allocation, which may have a release function of its own. */
        C_HEAP_ALIGNED,
        /** As separate pages. */
        PAGES
    }

    /** Returns whether the byte at {@code other} is in this block. */
    boolean covers(long other) {
        return Long.compareUnsigned(other - address, capacityBytes) < 0;
    }
}
