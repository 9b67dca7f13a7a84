package dev.kernelalloc.core;

/**
 * Logs what a method of the program has thrown while memory is released: an {@code Error}, too, as
 * the rest must be released all the same.
 */
final class ProgramFailure {

    private ProgramFailure() {}

    /**
     * Logs a failure. Never fails: where the Java heap or stack is exhausted, nothing is logged.
     */
    static void log(String what, Throwable thrown) {
        try {
            System.getLogger("dev.kernelalloc").log(System.Logger.Level.WARNING, what, thrown);
        } catch (Throwable _) {
            // what is to be released comes next
        }
    }
}
