package dev.kernelalloc.physical;

import java.util.Locale;

/**
 * Where a byte lies in physical memory, as the processor of the running system addresses it.
 *
 * <p>It is what the page map said when the page was resolved. A locked page stays in memory but the
 * kernel may still move it to another frame; and behind an IOMMU a device addresses the byte by
 * another number.
 *
 * @param value in bytes from the start of physical memory; never negative
 * @param scope whose physical memory it is
 */
public record PhysicalAddress(long value, Scope scope) {

    /** Whose physical memory an address counts in. */
    public enum Scope {
        /** The machine's. */
        HOST,
        /** A guest's: the hypervisor maps it to the machine's as it likes. */
        GUEST,
        /** The processor does not tell whether a hypervisor runs it. */
        UNKNOWN
    }

    /**
     * Checks the value.
     *
     * @throws IllegalArgumentException when {@code value} is negative
     */
    public PhysicalAddress {
        if (value < 0) {
            throw new IllegalArgumentException("value=" + value + " must not be negative");
        }
    }

    /** The address in hexadecimal, for example {@code 0x00000001a2b3c000}. */
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "0x%016x", value);
    }
}
