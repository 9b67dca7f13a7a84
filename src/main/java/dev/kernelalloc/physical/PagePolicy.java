package dev.kernelalloc.physical;

/** The pages that a request wants. */
public enum PagePolicy {
    /**
     * Huge ones where they serve and can be had, others else. Blocks that need not be contiguous
     * leave those alone that are reserved for somebody or take a privilege.
     */
    AUTO("any pages"),
    /** Of the base size alone, 4 KiB on most machines. */
    BASE("base pages"),
    /** Of 2 MiB where they can be had, others else. */
    HUGE_2M("pages of 2 MiB"),
    /** Of 1 GiB, from Linux's pool alone, where they can be had; else as {@link #HUGE_2M}. */
    HUGE_1G("pages of 1 GiB"),
    /** Huge ones of any size, or none. */
    HUGE_ONLY("huge pages alone");

    private final String text;

    PagePolicy(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
