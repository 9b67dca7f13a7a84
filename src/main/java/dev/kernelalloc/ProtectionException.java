package dev.kernelalloc;

/**
 * A protection of {@link SecretMemory} did not hold, or could not be changed. {@link #reason()} is
 * for a program; the message tells a person what was found and what to do.
 */
public final class ProtectionException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** What happened. */
    public enum Reason {
        /** Something has written past the ends of the block: the bytes around it have changed. */
        OVERRUN,
        /** The system refused to change what may be done with the pages. */
        NOT_CHANGED,
        /** The system refused to take the pages back. */
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
     * What happened.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
