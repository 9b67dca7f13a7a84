package dev.kernelalloc.physical;

/** The kind of page that a frame belongs to. */
public enum PageKind {
    /** A page of the base size, 4 KiB on most machines. */
    BASE("base"),
    /** Part of a transparent huge page. */
    TRANSPARENT_HUGE("transparent huge"),
    /** Part of a page of a huge page pool. */
    HUGETLB("hugetlb");

    private final String text;

    PageKind(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
