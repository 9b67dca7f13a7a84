package dev.kernelalloc;

import dev.kernelalloc.os.Refusal;

/**
 * Memory could not be had. The allocator stays usable and nothing is lost. {@link #reason()} is for
 * a program; the message tells a person what was asked, what was found and what to do.
 */
public final class AllocationException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** Why memory could not be had. */
    public enum Reason {
        /** There is not enough memory or address space. */
        OUT_OF_MEMORY,
        /**
         * There is memory, but not in the one physical piece, window, node or pages asked for; the
         * message says what was found instead.
         */
        FRAGMENTED,
        /**
         * A limit of the allocator, or of one that it is a child of, leaves too little ({@link
         * KernelAllocator#limit}); the message names it, with its numbers.
         */
        LIMIT,
        /** The process may not lock that many bytes ({@code RLIMIT_MEMLOCK}). */
        LOCK_LIMIT,
        /** The process lacks a right. */
        NOT_PERMITTED,
        /** The platform or the kernel cannot do it. */
        NOT_SUPPORTED,
        /**
         * The system lacks something other than memory for the moment, such as file descriptors;
         * the same request may succeed later.
         */
        SHORTAGE,
        /** The system answered with an error that the others do not cover. */
        SYSTEM_ERROR;

        static Reason of(Refusal refusal) {
            return switch (refusal) {
                case Refusal.OutOfMemory _ -> OUT_OF_MEMORY;
                case Refusal.Fragmented _ -> FRAGMENTED;
                case Refusal.OverBudget _ -> LIMIT;
                case Refusal.LockLimit _ -> LOCK_LIMIT;
                case Refusal.NotPermitted _ -> NOT_PERMITTED;
                case Refusal.NotSupported _ -> NOT_SUPPORTED;
                case Refusal.Shortage _ -> SHORTAGE;
                case Refusal.SystemError _ -> SYSTEM_ERROR;
            };
        }
    }

    private final Reason reason;

    AllocationException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    /**
     * Why memory could not be had.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
