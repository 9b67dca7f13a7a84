package dev.kernelalloc.physical;

import java.util.Locale;

/**
 * The location of a byte in physical memory, as the processor of the running system addresses it.
 *
 * <p>It is the entry of the page map when the page was resolved. A locked page stays in memory, but
 * the kernel may still move it to another frame. Behind an IOMMU a device addresses the byte by
 * another number.
 *
 * @param value the offset in bytes from the start of physical memory, not negative
 * @param scope the machine that the address belongs to
 */
public record PhysicalAddress(long value, Scope scope) {

    /** The machine that an address belongs to. */
    public enum Scope {
        /** The physical machine. */
        HOST,
        /** A guest: the hypervisor maps its addresses freely to those of the machine. */
        GUEST,
        /** Unknown: the processor does not report whether a hypervisor runs it. */
        UNKNOWN
    }

    /**
     * Checks the value.
     *
     * @throws IllegalArgumentException if {@code value} is negative
     */
    public PhysicalAddress {
        if (value < 0) {
            throw new IllegalArgumentException("value=" + value + " must not be negative");
        }
    }

    /** Returns the address in hexadecimal, for example {@code 0x00000001a2b3c000}. */
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "0x%016x", value);
    }
}
