package dev.kernelalloc.physical;

import java.util.Set;

/**
 * What the kernel says of one page frame, from the side of the frame instead of the page map: a
 * confirmation that does not rest on what was resolved before.
 *
 * @param address of the frame's first byte, from a fresh reading of the page map
 * @param flags of the frame, from {@code /proc/kpageflags}
 * @param mappings how often the frame is mapped, from {@code /proc/kpagecount}: 1 for private
 *     memory
 */
public record FrameReport(PhysicalAddress address, Set<FrameFlag> flags, long mappings) {

    /** Keeps a copy of the flags. */
    public FrameReport {
        flags = Set.copyOf(flags);
    }

    /**
     * The kind of page the frame belongs to.
     *
     * @return the kind, read off the flags
     */
    public PageKind kind() {
        if (flags.contains(FrameFlag.HUGE)) {
            return PageKind.HUGETLB;
        }
        return flags.contains(FrameFlag.THP) ? PageKind.TRANSPARENT_HUGE : PageKind.BASE;
    }

    /**
     * Whether the frame cannot be swapped out: it is locked, or it is a pool's, which is never
     * swapped.
     *
     * @return whether the kernel holds it in memory
     */
    public boolean isLocked() {
        return flags.contains(FrameFlag.MLOCKED) || flags.contains(FrameFlag.HUGE);
    }
}
