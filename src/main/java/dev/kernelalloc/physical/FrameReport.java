package dev.kernelalloc.physical;

import java.util.Set;

/**
 * The kernel's report on one page frame, read from the records of frames instead of the page map: a
 * confirmation that does not depend on earlier readings.
 *
 * @param address the address of the frame's first byte, from a fresh reading of the page map
 * @param flags the flags of the frame, from {@code /proc/kpageflags}
 * @param mappings the number of mappings of the frame, from {@code /proc/kpagecount}: 1 for private
 *     memory
 */
public record FrameReport(PhysicalAddress address, Set<FrameFlag> flags, long mappings) {

    /** Copies the flags. */
    public FrameReport {
        flags = Set.copyOf(flags);
    }

    /**
     * Returns the kind of page that the frame belongs to.
     *
     * @return the kind, according to the flags
     */
    public PageKind kind() {
        if (flags.contains(FrameFlag.HUGE)) {
            return PageKind.HUGETLB;
        }
        return flags.contains(FrameFlag.THP) ? PageKind.TRANSPARENT_HUGE : PageKind.BASE;
    }

    /**
     * Returns whether the frame cannot be swapped out: it is locked, or belongs to the huge page
     * pool, which is never swapped.
     *
     * @return true if the kernel keeps it in memory
     */
    public boolean isLocked() {
        return flags.contains(FrameFlag.MLOCKED) || flags.contains(FrameFlag.HUGE);
    }
}
