package dev.kernelalloc.physical;

/** The pages that a request accepts. */
public enum PagePolicy {
    /**
     * Huge pages where they serve and are available, otherwise others. Blocks that need not be
     * contiguous leave pages alone that are reserved for a purpose or take a privilege.
     */
    AUTO("any pages"),
    /** Pages of the base size only, 4 KiB on most machines. */
    BASE("base pages"),
    /** Pages of 2 MiB where they are available, otherwise others. */
    HUGE_2M("pages of 2 MiB"),
    /**
     * Pages of 1 GiB, from Linux's pool only, where they are available; otherwise as {@link
     * #HUGE_2M}.
     */
    HUGE_1G("pages of 1 GiB"),
    /** Huge pages of any size, and no others. */
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
