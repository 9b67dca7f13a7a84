package dev.kernelalloc.physical;

/** What is promised of the pages of a block, for as long as it lives. */
public enum Guarantee {
    /** Every page had a frame of its own when the block was handed out. */
    RESIDENT,
    /**
     * No page leaves memory for swap, so no access waits for a disk. The kernel may still move a
     * page to another frame: a lock is not a pin. mlock(2).
     */
    LOCKED
}
