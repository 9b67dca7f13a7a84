package dev.kernelalloc.os;

/**
 * The system, or a layer above it, refused a request; nothing has changed. The message has the
 * request, the finding and the remedy.
 *
 * <p>Internal: the allocators turn it into a public exception, in one place.
 */
public abstract sealed class Refusal extends Exception {

    private static final long serialVersionUID = 1;

    /**
     * Without a stack trace, which takes longer than the rest: the exception for the user has one.
     */
    private Refusal(String message) {
        super(message, null, true, false);
    }

    /** A refusal of the same kind in other words. */
    public abstract Refusal withMessage(String message);

    /** There is no memory, or no address space, for the request. */
    public static final class OutOfMemory extends Refusal {
        private static final long serialVersionUID = 1;

        public OutOfMemory(String message) {
            super(message);
        }

        @Override
        public Refusal withMessage(String message) {
            return new OutOfMemory(message);
        }
    }

    /** There is memory, but not where or in the one piece that it was asked for. */
    public static final class Fragmented extends Refusal {
        private static final long serialVersionUID = 1;

        public Fragmented(String message) {
            super(message);
        }

        @Override
        public Refusal withMessage(String message) {
            return new Fragmented(message);
        }
    }

    /** A limit that the program has set for its allocators leaves too little. */
    public static final class OverBudget extends Refusal {
        private static final long serialVersionUID = 1;

        private final String budget;
        private final long limitBytes;
        private final long usedBytes;
        private final long askedBytes;

        public OverBudget(
                String message, String budget, long limitBytes, long usedBytes, long askedBytes) {
            super(message);
            this.budget = budget;
            this.limitBytes = limitBytes;
            this.usedBytes = usedBytes;
            this.askedBytes = askedBytes;
        }

        @Override
        public Refusal withMessage(String message) {
            return new OverBudget(message, budget, limitBytes, usedBytes, askedBytes);
        }

        /** Which budget has refused. */
        public String budget() {
            return budget;
        }

        /** Its limit. */
        public long limitBytes() {
            return limitBytes;
        }

        /** The bytes taken of that. */
        public long usedBytes() {
            return usedBytes;
        }

        /** The bytes requested. */
        public long askedBytes() {
            return askedBytes;
        }
    }

    /** The process may not lock that much. */
    public static final class LockLimit extends Refusal {
        private static final long serialVersionUID = 1;

        public LockLimit(String message) {
            super(message);
        }

        @Override
        public Refusal withMessage(String message) {
            return new LockLimit(message);
        }
    }

    /** The process lacks a right. */
    public static final class NotPermitted extends Refusal {
        private static final long serialVersionUID = 1;

        public NotPermitted(String message) {
            super(message);
        }

        @Override
        public Refusal withMessage(String message) {
            return new NotPermitted(message);
        }
    }

    /** This platform or kernel cannot do it. */
    public static final class NotSupported extends Refusal {
        private static final long serialVersionUID = 1;

        public NotSupported(String message) {
            super(message);
        }

        @Override
        public Refusal withMessage(String message) {
            return new NotSupported(message);
        }
    }

    /**
     * The system temporarily lacks something other than memory: file descriptors, memory of the
     * kernel's own. The same request may succeed later, so this refusal is not remembered.
     */
    public static final class Shortage extends Refusal {
        private static final long serialVersionUID = 1;

        static final String REMEDY =
                "That is so for the moment: try again, or raise the limits of files (ulimit -n,"
                        + " fs.file-max)";

        public Shortage(String message) {
            super(message);
        }

        @Override
        public Refusal withMessage(String message) {
            return new Shortage(message);
        }
    }

    /** The system answered with an error that the other kinds do not cover. */
    public static final class SystemError extends Refusal {
        private static final long serialVersionUID = 1;

        private final transient ErrorCode code;

        public SystemError(String message, ErrorCode code) {
            super(message);
            this.code = code;
        }

        @Override
        public Refusal withMessage(String message) {
            return new SystemError(message, code);
        }

        /** The answer of the system. */
        public ErrorCode code() {
            return code;
        }
    }
}
