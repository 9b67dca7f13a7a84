package dev.kernelalloc;

/**
 * Thrown if memory is not available. The allocator stays usable and no memory is lost. {@link
 * #reason()} is for programs; the message states for people what was requested, what was found and
 * the remedy.
 */
public final class AllocationException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** The reasons of a failed allocation. */
    public enum Reason {
        /** There is not enough memory or address space. */
        OUT_OF_MEMORY,
        /**
         * There is memory, but not in the requested physical piece, window, node or kind of pages;
         * the message states what was found instead.
         */
        FRAGMENTED,
        /**
         * A limit of the allocator, or of one above it, leaves too little ({@link
         * KernelAllocator#limit}); the message names it, with its numbers.
         */
        LIMIT,
        /** The process may not lock that many bytes ({@code RLIMIT_MEMLOCK}). */
        LOCK_LIMIT,
        /** The process lacks a right. */
        NOT_PERMITTED,
        /** The platform or the kernel does not support it. */
        NOT_SUPPORTED,
        /**
         * The system temporarily lacks something other than memory, such as file descriptors; the
         * same request may succeed later.
         */
        SHORTAGE,
        /** The system returned an error that the other reasons do not cover. */
        SYSTEM_ERROR;
    }

    private final Reason reason;

    /**
     * Creates an exception.
     *
     * @param reason the reason, for programs
     * @param message what failed, its values and the remedy, for people
     * @param cause the refusal of a lower layer
     */
    public AllocationException(Reason reason, String message, Throwable cause) {
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
