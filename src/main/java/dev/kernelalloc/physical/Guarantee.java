package dev.kernelalloc.physical;

/** What is promised of the pages of a block, for as long as it lives. */
public enum Guarantee {
    /** Every page had a frame of its own when the block was handed out. */
    RESIDENT,
    /**
     * No page leaves memory for swap, so no access waits for a disk. The kernel may still move a
     * page to another frame: a lock is not a pin. mlock(2).
     */
    LOCKED,
    /**
     * No page moves to another frame: not for compaction, merging or collapsing, and not after a
     * fork. Its physical address holds as long as the block.
     */
    PINNED,
    /**
     * No page is in the kernel's own map of memory: no system call on behalf of another process, no
     * device and no core dump reads it. memfd_secret(2).
     */
    HIDDEN
}
