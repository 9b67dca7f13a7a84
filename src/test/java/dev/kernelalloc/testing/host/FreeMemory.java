package dev.kernelalloc.testing.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Free memory of all zones in runs of at least a huge page, by {@code /proc/buddyinfo}; see
 * proc_pid_buddyinfo(5).
 *
 * @param singleBytes in runs of just one huge page
 * @param longerBytes in longer runs
 */
public record FreeMemory(long singleBytes, long longerBytes) {

    private static final Path BUDDIES = Path.of("/proc/buddyinfo");

    /** Columns before the counts: node, its number, zone, its name. */
    private static final int FIRST = 4;

    private static final int HUGE_ORDER = 9; // 2 MiB of pages of 4 KiB

    /** What is free now, but for what each processor keeps. */
    public static FreeMemory now() {
        long single = 0;
        long longer = 0;
        for (String zone : zones()) {
            long[] counts =
                    IntStream.range(FIRST, zone.split("\\s+").length)
                            .mapToLong(i -> Long.parseLong(zone.split("\\s+")[i]))
                            .toArray();
            for (int order = HUGE_ORDER; order < counts.length; order++) {
                long bytes = counts[order] * HugePages.BYTES << order - HUGE_ORDER;
                single += order == HUGE_ORDER ? bytes : 0;
                longer += order == HUGE_ORDER ? 0 : bytes;
            }
        }
        return new FreeMemory(single, longer);
    }

    private static List<String> zones() {
        try {
            return Files.readAllLines(BUDDIES);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
