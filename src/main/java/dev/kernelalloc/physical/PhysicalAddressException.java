package dev.kernelalloc.physical;

/**
 * Thrown if the physical address of a byte is unknown; {@link #reason()} and the message give the
 * cause.
 */
public final class PhysicalAddressException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** The reasons of an unknown physical address. */
    public enum Reason {
        /** The kernel hides frame numbers from this process: it lacks {@code CAP_SYS_ADMIN}. */
        HIDDEN,
        /** The page has no frame. */
        NOT_PRESENT,
        /** The page was swapped out. */
        SWAPPED,
        /** The page is a guard: touching it is an error. */
        GUARD,
        /** The page is the kernel's shared page of zeros: a write would give it another frame. */
        ZERO_PAGE,
        /** The page shares its frame with others: a write would give it another one. */
        SHARED,
        /** This platform does not show physical addresses. */
        NOT_SUPPORTED,
        /**
         * The page map was unreadable, often for a transient reason such as a lack of file
         * descriptors. The next call reads it again.
         */
        UNREADABLE,
        /** A pinned page has another frame than before. */
        MOVED
    }

    private final Reason reason;

    /**
     * Creates an exception with its explanation.
     *
     * @param reason the reason, for programs
     * @param message the finding and the remedy, for people
     */
    public PhysicalAddressException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /**
     * Returns the reason.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
