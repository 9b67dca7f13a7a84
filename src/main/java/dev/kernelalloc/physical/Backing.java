package dev.kernelalloc.physical;

/** The backings: how pages are obtained, in the order in which they are tried. */
public enum Backing {
    /**
     * A run of free pages that the allocator already held. The provenance of a block cut from one
     * has the backing of those pages, so this one is only ever declined.
     */
    HELD_RUN("a run it holds"),
    /** Pages of 1 GiB of the huge page pool. */
    POOL_1G("the pool of 1 GiB pages"),
    /** Pages of 2 MiB of the huge page pool. */
    POOL_2M("the pool of 2 MiB pages"),
    /** Large pages of Windows, which are never paged out. */
    LARGE_PAGES("large pages"),
    /** Transparent huge pages. */
    TRANSPARENT_HUGE("transparent huge pages"),
    /** A region that the kernel allocated for io_uring: contiguous, and never moved. */
    KERNEL_REGION("a kernel region of io_uring"),
    /** Pages of the base size. */
    BASE_PAGES("base pages");

    private final String text;

    Backing(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
