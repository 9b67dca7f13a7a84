package dev.kernelalloc.physical;

/** What a child made by fork(2) finds where its parent has a block. */
public enum ForkBehaviour {
    /**
     * Nothing: touching it ends the child. So a write of the parent never moves a page, as copy on
     * write would. For memory that devices use, and the default.
     */
    ABSENT,
    /** Zeros. For secrets; only for private memory, so not for pages of the pool. */
    WIPED,
    /** A copy. A page that is not pinned may move with the parent's next write. */
    COPIED
}
