package dev.kernelalloc.physical;

/**
 * Flags of a page frame in {@code /proc/kpageflags}: those that matter for trust in a frame.
 * Source: the kernel's admin-guide/mm/pagemap and {@code include/uapi/linux/kernel-page-flags.h}.
 */
public enum FrameFlag {
    /** On a list of pages that may be reclaimed. */
    LRU(5),
    /** Free, in the buddy allocator. */
    BUDDY(10),
    /** Mapped into a page table. */
    MMAP(11),
    /** Anonymous memory. */
    ANON(12),
    /** The first page of a compound page. */
    COMPOUND_HEAD(15),
    /** A later page of a compound page. */
    COMPOUND_TAIL(16),
    /** A page of hugetlbfs. */
    HUGE(17),
    /** Never reclaimed. */
    UNEVICTABLE(18),
    /** Broken hardware. */
    HWPOISON(19),
    /** No frame has this number. */
    NOPAGE(20),
    /** Shared among equal pages. */
    KSM(21),
    /** Part of a transparent huge page. */
    THP(22),
    /** Taken from the system, by a balloon driver for example. */
    OFFLINE(23),
    /** The shared page of zeros. */
    ZERO_PAGE(24),
    /** Locked by mlock(2). */
    MLOCKED(33);

    private final int bit;

    FrameFlag(int bit) {
        this.bit = bit;
    }

    /**
     * Returns the position of the flag in an entry of {@code /proc/kpageflags}.
     *
     * @return the number of the bit, 0 for the least significant
     */
    public int bit() {
        return bit;
    }
}
