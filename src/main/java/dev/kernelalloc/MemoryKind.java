package dev.kernelalloc;

import dev.kernelalloc.physical.Backing;

/** The kinds of memory that an allocator takes from the system. */
public enum MemoryKind {
    /** Ranges and blocks of the C heap, by aligned_alloc(3) and malloc(3). */
    SYSTEM_HEAP("the system heap"),
    /** Memory of a {@link dev.kernelalloc.source.MemorySource}. */
    SUPPLIED("a memory source"),
    /** Pages of 1 GiB of the huge page pool. */
    POOL_1G(Backing.POOL_1G.toString()),
    /** Pages of 2 MiB of the huge page pool. */
    POOL_2M(Backing.POOL_2M.toString()),
    /** Large pages of Windows. */
    LARGE_PAGES(Backing.LARGE_PAGES.toString()),
    /**
     * Pages mapped as transparent huge pages; those that are in fact huge have {@link
     * dev.kernelalloc.physical.Guarantee#HUGE}.
     */
    TRANSPARENT_HUGE(Backing.TRANSPARENT_HUGE.toString()),
    /** Regions that the kernel allocated for io_uring. */
    KERNEL_REGION(Backing.KERNEL_REGION.toString()),
    /** Pages of the base size. */
    BASE_PAGES(Backing.BASE_PAGES.toString());

    private final String text;

    MemoryKind(String text) {
        this.text = text;
    }

    /** Returns the kind of memory of slabs from a backing. */
    static MemoryKind of(Backing way) {
        return switch (way) {
            case POOL_1G -> POOL_1G;
            case POOL_2M -> POOL_2M;
            case LARGE_PAGES -> LARGE_PAGES;
            case TRANSPARENT_HUGE -> TRANSPARENT_HUGE;
            case KERNEL_REGION -> KERNEL_REGION;
            case BASE_PAGES -> BASE_PAGES;
            case HELD_RUN -> throw new IllegalArgumentException(way + " is not a backing of slabs");
        };
    }

    @Override
    public String toString() {
        return text;
    }
}
