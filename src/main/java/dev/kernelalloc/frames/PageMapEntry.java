package dev.kernelalloc.frames;

import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalAddressException.Reason;

import java.util.Locale;

/**
 * An entry of {@code /proc/<pid>/pagemap}. Source: the kernel's admin-guide/mm/pagemap.
 *
 * <p>The frame number is in bits 0–54, but only if the page is present; the bits of a swapped or
 * guard page have another meaning, and a reader without {@code CAP_SYS_ADMIN} gets 0 for it, which
 * is no frame of ours.
 */
final class PageMapEntry {

    static final long FRAME_MASK = (1L << 55) - 1;
    static final long EXCLUSIVE = 1L << 56;
    static final long GUARD = 1L << 58;

    /** The kernel leaves this bit 0; here it marks the shared page of zeros. */
    static final long ZERO_PAGE = 1L << 59;

    static final long SWAPPED = 1L << 62;
    static final long PRESENT = 1L << 63;

    private PageMapEntry() {}

    /** Whether the kernel hides the frame of a present page: the reader lacks the right to it. */
    static boolean isHidden(long entry) {
        return (entry & PRESENT) != 0 && (entry & FRAME_MASK) == 0;
    }

    /** Whether an entry shows a frame that is not the page's own. */
    static boolean isShared(long entry) {
        return (entry & PRESENT) != 0 && (entry & EXCLUSIVE) == 0 && (entry & FRAME_MASK) != 0;
    }

    /**
     * Whether an entry shows a frame, the page's own.
     *
     * @param mayBeShared whether the kernel does not mark pages of this kind as exclusive
     */
    static boolean isOwn(long entry, boolean mayBeShared) {
        return (entry & PRESENT) != 0
                && (entry & FRAME_MASK) != 0
                && (entry & ZERO_PAGE) == 0
                && ((entry & EXCLUSIVE) != 0 || mayBeShared);
    }

    /** Whether a page is in memory and no other process has it, as frames may be hidden. */
    static boolean isPresentAndExclusive(long entry) {
        return (entry & PRESENT) != 0 && (entry & EXCLUSIVE) != 0;
    }

    /**
     * The frame number of an entry.
     *
     * @param entry as read
     * @param pageAddress which page it is of, for the message
     * @throws PhysicalAddressException when the entry holds none that is the page's own
     */
    static long frame(long entry, long pageAddress) {
        if (!isOwn(entry, false)) {
            throw absenceOf(entry, pageAddress);
        }
        return entry & FRAME_MASK;
    }

    /**
     * Why an entry holds no frame that is the page's own.
     *
     * @param entry as read; not {@link #isOwn}
     * @param pageAddress which page it is of, for the message
     */
    static PhysicalAddressException absenceOf(long entry, long pageAddress) {
        if ((entry & PRESENT) != 0) {
            if (isHidden(entry)) {
                return absent(
                        Reason.HIDDEN,
                        pageAddress,
                        entry,
                        "is present, but the kernel shows its frame number as 0 to a process"
                            + " without CAP_SYS_ADMIN in the initial user namespace: run as root or"
                            + " with that capability (docker: --cap-add SYS_ADMIN)");
            }
            if ((entry & ZERO_PAGE) != 0) {
                return absent(
                        Reason.ZERO_PAGE,
                        pageAddress,
                        entry,
                        "has not been written yet: it shares the kernel's page of zeros");
            }
            return absent(
                    Reason.SHARED,
                    pageAddress,
                    entry,
                    "shares its frame, after a fork or a merge of equal pages: a write would"
                            + " move it");
        }
        // A guard also has the bit of a swapped page set: look for it first.
        if ((entry & GUARD) != 0) {
            return absent(Reason.GUARD, pageAddress, entry, "is a guard page: it has no frame");
        }
        if ((entry & SWAPPED) != 0) {
            return absent(
                    Reason.SWAPPED,
                    pageAddress,
                    entry,
                    "was swapped out: lock pages before resolving them");
        }
        return absent(
                Reason.NOT_PRESENT,
                pageAddress,
                entry,
                "has no frame: it was never touched, or was released");
    }

    private static PhysicalAddressException absent(
            Reason reason, long pageAddress, long entry, String finding) {
        return new PhysicalAddressException(
                reason,
                String.format(
                        Locale.ROOT,
                        "no physical address: the page at 0x%x %s (page map entry 0x%016x)",
                        pageAddress,
                        finding,
                        entry));
    }
}
