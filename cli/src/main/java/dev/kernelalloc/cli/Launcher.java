package dev.kernelalloc.cli;

import java.util.Locale;

/**
 * Starts the tool, or prints which Java it needs. Compiled for Java 17, where {@link Tool} cannot
 * be loaded.
 */
public final class Launcher {

    private static final int REQUIRED = 25;
    private static final int FAILED = 1;

    private Launcher() {}

    /**
     * Runs a command and ends the process with its exit code.
     *
     * @param arguments as typed at the shell
     */
    public static void main(String[] arguments) throws ReflectiveOperationException {
        int found = Runtime.version().feature();
        if (found < REQUIRED) {
            System.err.printf(
                    Locale.ROOT,
                    "kernel-alloc: Java is too old: required=%d found=%d; run the java of a newer"
                            + " JDK%n",
                    REQUIRED,
                    found);
            System.exit(FAILED);
        }
        Class.forName("dev.kernelalloc.cli.Tool")
                .getMethod("main", String[].class)
                .invoke(null, (Object) arguments);
    }
}
