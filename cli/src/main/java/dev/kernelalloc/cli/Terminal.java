package dev.kernelalloc.cli;

import java.io.Console;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether a person looks at what is printed: a pipe or a file gets no colours and no progress. */
final class Terminal {

    private static final int STANDARD_OUTPUT = 1;
    private static final int STANDARD_ERROR = 2;

    /** The width if there is no terminal, or its width is unknown. */
    private static final int DEFAULT_COLUMNS = 80;

    /** TIOCGWINSZ of Linux and of macOS. */
    private static final long LINUX_WINDOW_SIZE = 0x5413;

    private static final long MACOS_WINDOW_SIZE = 0x40087468;

    /** struct winsize is four shorts: rows, columns, and pixels. */
    private static final long WINDOW_SIZE_BYTES = 8;

    private static final long COLUMNS_OFFSET = 2;

    private Terminal() {}

    /** Returns the width of the terminal that results are printed on; 80 if there is none. */
    static int outputColumns() {
        return columns(STANDARD_OUTPUT);
    }

    /** Returns where to break lines of results: nowhere for a pipe or a file. */
    static int lineColumns() {
        return isTerminal(STANDARD_OUTPUT) ? outputColumns() : Integer.MAX_VALUE;
    }

    /** Returns the width of the terminal that progress is printed on; 80 if there is none. */
    static int progressColumns() {
        return columns(STANDARD_ERROR);
    }

    @SuppressWarnings("restricted")
    private static int columns(int descriptor) {
        String system = System.getProperty("os.name");
        if (!isTerminal(descriptor) || system.startsWith("Windows")) {
            return DEFAULT_COLUMNS;
        }
        long request = system.equals("Linux") ? LINUX_WINDOW_SIZE : MACOS_WINDOW_SIZE;
        try (Arena arena = Arena.ofConfined()) {
            Linker linker = Linker.nativeLinker();
            MethodHandle ioctl =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("ioctl"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS),
                            Linker.Option.firstVariadicArg(2));
            MemorySegment size = arena.allocate(WINDOW_SIZE_BYTES, Short.BYTES);
            int result = (int) ioctl.invokeExact(descriptor, request, size);
            int columns = Short.toUnsignedInt(size.get(ValueLayout.JAVA_SHORT, COLUMNS_OFFSET));
            return result == 0 && columns > 0 ? columns : DEFAULT_COLUMNS;
        } catch (Throwable e) { // native access is denied: what needs it says so
            return DEFAULT_COLUMNS;
        }
    }

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
