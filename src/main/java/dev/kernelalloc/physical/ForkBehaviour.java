package dev.kernelalloc.physical;

/** The memory of a child made by fork(2) in place of a block of its parent. */
public enum ForkBehaviour {
    /**
     * Nothing: touching it ends the child. A write of the parent therefore never moves a page, as
     * copy on write would. For memory that devices use, and the default.
     */
    ABSENT,
    /** Zeros. For secrets; only for private memory, so not for pages of the pool. */
    WIPED,
    /** A copy. The parent's next write may move a page that is not pinned. */
    COPIED
}
