package dev.kernelalloc.physical;

import java.util.Set;

/**
 * What is promised of the pages of a block, for as long as it lives. Native code of the process can
 * undo it: unlock, split or replace any page. {@code PhysicalAllocator.verify} finds that, and the
 * block loses the guarantee. A block has a set of them; the common sets have names here.
 */
public enum Guarantee {
    /** Every page had a frame of its own when the block was handed out. */
    RESIDENT,
    /**
     * No page leaves memory for swap, so no access waits for a disk. The kernel may still move a
     * page to another frame: a lock is not a pin. mlock(2).
     */
    LOCKED,
    /**
     * Pages are huge, so that the processor looks fewer of them up, and the bytes of each lie side
     * by side in physical memory.
     */
    HUGE,
    /**
     * The kernel does not move a page to another frame, merge it with an equal one or collapse it
     * into a huge one: its physical address stays. It does not hold against broken hardware, which
     * ends the process at the next access, nor against a hypervisor, which moves what the guest
     * takes for memory as it likes.
     */
    PINNED,
    /**
     * All bytes lie side by side in physical memory. A block asked for as contiguous has it when it
     * is handed out. Of a single page, of whole huge pages of which it takes no more than one, and
     * of {@link #PINNED} pages it stays; so base pages are pinned for it, unasked, whenever the
     * system allows a pin. Where it does not, nothing holds them: the next compaction of memory may
     * move each page elsewhere.
     */
    CONTIGUOUS,
    /** The kernel has no mapping of the pages, so that its own mistakes do not show them. */
    HIDDEN;

    /** {@link #RESIDENT} alone: there, and nothing else is known. */
    public static final Set<Guarantee> IN_MEMORY = Set.of(RESIDENT);

    /** {@link #RESIDENT} and {@link #LOCKED}: what mlock(2) gives, and the default. */
    public static final Set<Guarantee> NEVER_SWAPPED = Set.of(RESIDENT, LOCKED);

    /** {@link #NEVER_SWAPPED} and {@link #HUGE}. */
    public static final Set<Guarantee> NEVER_SWAPPED_AND_HUGE = Set.of(RESIDENT, LOCKED, HUGE);

    /** {@link #NEVER_SWAPPED} and {@link #PINNED}: what a device needs that is told addresses. */
    public static final Set<Guarantee> NEVER_MOVED = Set.of(RESIDENT, LOCKED, PINNED);

    /** {@link #NEVER_MOVED} and {@link #HIDDEN}: what a key needs. */
    public static final Set<Guarantee> SECRET = Set.of(RESIDENT, LOCKED, PINNED, HIDDEN);
}
