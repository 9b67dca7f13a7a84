package dev.kernelalloc;

/**
 * Thrown if a protection of {@link SecretMemory} did not hold, or could not be changed. {@link
 * #reason()} is for programs; the message states for people what was found and the remedy.
 */
public final class ProtectionException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** The reasons. */
    public enum Reason {
        /** Something has written beyond the ends of the block: the bytes around it have changed. */
        OVERRUN,
        /** The system refused to change the access to the pages. */
        NOT_CHANGED,
        /** The system refused to release the pages. */
        NOT_RELEASED
    }

    private final Reason reason;

    ProtectionException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    ProtectionException(Reason reason, String message, Throwable cause) {
        super(message, cause);
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
