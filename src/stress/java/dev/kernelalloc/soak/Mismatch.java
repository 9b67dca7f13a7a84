package dev.kernelalloc.soak;

import java.util.Objects;

/** The library did something else than the model. */
final class Mismatch extends RuntimeException {

    private static final long serialVersionUID = 1;

    Mismatch(String message) {
        super(message);
    }

    /** Throws unless two values are equal; integers of different types may be. */
    static void requireEqual(Object expected, Object found, String what) {
        boolean equal =
                expected instanceof Number one && found instanceof Number other
                        ? one.longValue() == other.longValue()
                        : Objects.equals(expected, found);
        if (!equal) {
            throw new Mismatch("%s: expected=%s found=%s".formatted(what, expected, found));
        }
    }

    /** Throws unless a condition holds. */
    static void require(boolean holds, String what) {
        if (!holds) {
            throw new Mismatch(what);
        }
    }

    /** Throws unless an action throws an exception of a type. */
    static void requireThrown(Class<? extends Exception> type, String what, ThrowingAction action)
            throws Exception {
        try {
            action.run();
        } catch (Exception e) {
            if (type.isInstance(e)) {
                return;
            }
            throw e;
        }
        throw new Mismatch(what + ": no " + type.getSimpleName());
    }

    interface ThrowingAction {
        void run() throws Exception;
    }
}
