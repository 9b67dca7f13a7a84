package dev.kernelalloc.physical;

import java.util.Set;

/**
 * A promise about the pages of a block, for as long as it lives. Native code of the process can
 * break it: unlock, split or replace any page. {@code PhysicalAllocator.verify} detects that, and
 * the block loses the guarantee. A block has a set of guarantees; the common sets have names here.
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
     * Pages are huge, so that the processor needs fewer translations, and the bytes of each page
     * are physically contiguous.
     */
    HUGE,
    /**
     * The kernel does not move a page to another frame, merge it with an equal one or collapse it
     * into a huge one: its physical address stays. This does not protect from broken hardware,
     * which ends the process at the next access, nor from a hypervisor, which may move the guest's
     * memory freely.
     */
    PINNED,
    /**
     * All bytes are physically contiguous. A contiguous block has this guarantee when it is handed
     * out. For a single page, for a part of one huge page, and for {@link #PINNED} pages it holds;
     * base pages are therefore pinned for it, unasked, whenever the system allows a pin. Without a
     * pin the next compaction of memory may separate the pages.
     */
    CONTIGUOUS,
    /** The kernel has no mapping of the pages, so its own bugs do not expose them. */
    HIDDEN;

    /** {@link #RESIDENT} alone. */
    public static final Set<Guarantee> IN_MEMORY = Set.of(RESIDENT);

    /** {@link #RESIDENT} and {@link #LOCKED}: the effect of mlock(2), and the default. */
    public static final Set<Guarantee> NEVER_SWAPPED = Set.of(RESIDENT, LOCKED);

    /** {@link #NEVER_SWAPPED} and {@link #HUGE}. */
    public static final Set<Guarantee> NEVER_SWAPPED_AND_HUGE = Set.of(RESIDENT, LOCKED, HUGE);

    /** {@link #NEVER_SWAPPED} and {@link #PINNED}: required for a device that uses addresses. */
    public static final Set<Guarantee> NEVER_MOVED = Set.of(RESIDENT, LOCKED, PINNED);

    /** {@link #NEVER_MOVED} and {@link #HIDDEN}: required for a key. */
    public static final Set<Guarantee> SECRET = Set.of(RESIDENT, LOCKED, PINNED, HIDDEN);
}
