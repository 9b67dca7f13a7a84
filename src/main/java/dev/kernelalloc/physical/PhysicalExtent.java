package dev.kernelalloc.physical;

import java.util.Locale;

/**
 * Bytes that lie side by side in physical memory: an entry of a scatter-gather list.
 *
 * @param start where they begin
 * @param bytes how many, at least 1
 */
public record PhysicalExtent(PhysicalAddress start, long bytes) {

    /**
     * Checks the size.
     *
     * @throws IllegalArgumentException when {@code bytes} is less than 1, or the end is beyond
     *     {@code Long.MAX_VALUE}
     */
    public PhysicalExtent {
        if (bytes < 1 || start.value() > Long.MAX_VALUE - bytes) {
            throw new IllegalArgumentException(
                    String.format(Locale.ROOT, "start=%s bytes=%d is not an extent", start, bytes));
        }
    }

    /**
     * The first address behind it.
     *
     * @return its value, in bytes from the start of physical memory
     */
    public long end() {
        return start.value() + bytes;
    }

    @Override
    public String toString() {
        return start + "+" + bytes;
    }
}
