package dev.kernelalloc.physical;

import java.util.Locale;

/**
 * Physically contiguous bytes: an entry of a scatter-gather list.
 *
 * @param start the address of the first byte
 * @param bytes the number of bytes, at least 1
 */
public record PhysicalExtent(PhysicalAddress start, long bytes) {

    /**
     * Checks the size.
     *
     * @throws IllegalArgumentException if {@code bytes} is less than 1, or the end is beyond {@code
     *     Long.MAX_VALUE}
     */
    public PhysicalExtent {
        if (bytes < 1 || start.value() > Long.MAX_VALUE - bytes) {
            throw new IllegalArgumentException(
                    String.format(Locale.ROOT, "start=%s bytes=%d is not an extent", start, bytes));
        }
    }

    /**
     * Returns the first address behind it.
     *
     * @return the address, in bytes from the start of physical memory
     */
    public long end() {
        return start.value() + bytes;
    }

    @Override
    public String toString() {
        return start + "+" + bytes;
    }
}
