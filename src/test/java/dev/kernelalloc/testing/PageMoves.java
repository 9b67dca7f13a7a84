package dev.kernelalloc.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The kernel may move a page that is merely locked at any time: to compact memory, to balance the
 * nodes of a machine, or to make a huge page. Assertions about the places of such pages hold while
 * none is moved.
 */
public final class PageMoves {

    private static final Path COUNTERS = Path.of("/proc/vmstat");

    /** Counted at once, of all processes. */
    private static final Pattern MOVES =
            Pattern.compile("(?:pgmigrate_success|thp_collapse_alloc) (\\d+)");

    private static final int MOST_ATTEMPTS = 10;

    private PageMoves() {}

    /** Makes what it needs, asserts, and releases everything, even if an assertion fails. */
    @FunctionalInterface
    public interface Scenario {
        void run() throws Throwable;
    }

    /**
     * Runs a scenario. If an assertion fails and the kernel has moved pages of any process since
     * its beginning, the scenario is repeated, ten times at most: a fault of the library fails each
     * time.
     *
     * @throws AssertionError of the scenario, when no page was moved, or ten times in turn
     */
    public static void unlessMoved(Scenario scenario) throws Throwable {
        for (int attempt = 1; ; attempt++) {
            long before = count();
            try {
                scenario.run();
                return;
            } catch (AssertionError failure) {
                long moved = count() - before;
                if (moved == 0 || attempt == MOST_ATTEMPTS) {
                    throw failure;
                }
                System.out.printf(
                        "again: the kernel moved %d pages during the test: %s%n",
                        moved, failure.toString().strip().replaceAll("\\s+", " "));
            }
        }
    }

    private static long count() throws IOException {
        try (Stream<String> lines = Files.lines(COUNTERS)) {
            return lines.map(MOVES::matcher)
                    .filter(line -> line.matches())
                    .mapToLong(line -> Long.parseLong(line.group(1)))
                    .sum();
        }
    }
}
