package dev.kernelalloc.physical;

/** How pages were obtained; the order is that in which the ways are tried. */
public enum Way {
    /**
     * A run of free pages that the allocator held already. Of a block cut from one, the provenance
     * tells how those pages were obtained; so this is only ever a way that was declined.
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
    /** A region that the kernel has allocated for io_uring: contiguous, and never moved. */
    KERNEL_REGION("a kernel region of io_uring"),
    /** Pages of the base size. */
    BASE_PAGES("base pages");

    private final String text;

    Way(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
