package dev.kernelalloc.cli;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether a person looks at what is printed: a pipe or a file gets no colours and no progress. */
final class Terminal {

    private static final int STANDARD_OUTPUT = 1;
    private static final int STANDARD_ERROR = 2;

    /** A fixed width: the real one would take native code. */
    static final int COLUMNS = 80;

    private Terminal() {}

    /** Follows <a href="https://no-color.org">NO_COLOR</a> and {@code CLICOLOR_FORCE}. */
    static boolean showsColours() {
        if (isSet("NO_COLOR")) {
            return false;
        }
        if (isSet("CLICOLOR_FORCE") && !System.getenv("CLICOLOR_FORCE").equals("0")) {
            return true;
        }
        return isTerminal(STANDARD_OUTPUT) && !isDumb();
    }

    static boolean showsProgress() {
        return isTerminal(STANDARD_ERROR) && !isDumb();
    }

    private static boolean isDumb() {
        return !isSet("TERM") || System.getenv("TERM").equals("dumb");
    }

    private static boolean isSet(String variable) {
        String value = System.getenv(variable);
        return value != null && !value.isEmpty();
    }

    /** Java reports input and output together only; Linux each. */
    private static boolean isTerminal(int descriptor) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)) + "";
            return target.startsWith("/dev/pts/")
                    || target.startsWith("/dev/tty")
                    || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException elsewhere) {
            Console console = System.console();
            return console != null && console.isTerminal();
        }
    }
}
