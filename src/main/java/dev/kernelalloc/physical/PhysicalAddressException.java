package dev.kernelalloc.physical;

/** No physical address is known for a byte; {@link #reason()} and the message say why. */
public final class PhysicalAddressException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** Why there is no physical address. */
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
        /** This platform tells no physical addresses. */
        NOT_SUPPORTED,
        /**
         * The page map was unreadable, often for a transient reason such as a lack of file
         * descriptors. The next call reads it again.
         */
        UNREADABLE,
        /** A page that was pinned has another frame than before. */
        MOVED
    }

    private final Reason reason;

    /**
     * An explained absence.
     *
     * @param reason what a program switches on
     * @param message what a person reads: what was found and what to do
     */
    public PhysicalAddressException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /**
     * Why there is no address.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
