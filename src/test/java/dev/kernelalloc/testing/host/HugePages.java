package dev.kernelalloc.testing.host;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Pages of 2 MiB added to the kernel's pool: at most 64 MiB, and at most 2 % of the memory that is
 * available. They go back when the guardian is closed.
 *
 * @param granted how many pages there are more than before; the kernel may give fewer than asked,
 *     and says so nowhere but in the pool
 */
public record HugePages(long granted) {

    /** The size of a page. */
    public static final long BYTES = 2L << 20;

    private static final long MOST_BYTES = 64L << 20;
    private static final long MOST_HELD_BYTES = 1L << 30;
    private static final Path POOL = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB");

    /**
     * Adds pages to the pool.
     *
     * @return what was really granted; the test is skipped when that is nothing
     */
    public static HugePages reserve(HostGuardian guardian, long pages) {
        long most = Math.min(MOST_BYTES, availableBytes() / 50) / BYTES;
        if (pages > most) {
            throw new IllegalArgumentException(
                    pages + " huge pages for a test, of at most " + most + " here");
        }
        require(
                Files.isWritable(POOL.resolve("nr_hugepages")),
                "this kernel has no pages of 2 MiB, or the pool may not be changed");
        require(
                HostGuardian.number(POOL.resolve("surplus_hugepages")) == 0,
                "another process holds huge pages that its pool does not have: to go back to what"
                        + " is counted now would give the pool those too");
        long before = inPool();
        long freeBefore = free();
        guardian.set(POOL.resolve("nr_hugepages"), before + pages);
        long granted = Math.min(inPool() - before, free() - freeBefore);
        require(granted > 0, "the kernel granted none of " + pages + " huge pages");
        return new HugePages(granted);
    }

    /**
     * Takes other pages in their place, which probably lie side by side: the kernel takes free
     * memory first that is no longer than a page, so all of that is held meanwhile.
     */
    public HugePages takeOthers(HostGuardian guardian) {
        Path pages = POOL.resolve("nr_hugepages");
        guardian.set(pages, inPool() - granted);
        long held = Math.min(MOST_HELD_BYTES, 2 * FreeMemory.now().singleBytes());
        try (Mapping _ = Mapping.ofTransparentHugePages(held + BYTES)) {
            return reserve(guardian, granted);
        }
    }

    /** Pages in the pool now, used or free. */
    public static long inPool() {
        return HostGuardian.number(POOL.resolve("nr_hugepages"));
    }

    /** Pages in the pool that nobody uses now. */
    public static long free() {
        return HostGuardian.number(POOL.resolve("free_hugepages"));
    }

    private static void require(boolean met, String otherwise) {
        if (!met) {
            System.out.println("skipped: " + otherwise);
        }
        assumeTrue(met, "skipped: " + otherwise);
    }

    private static long availableBytes() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/meminfo"))) {
            return lines.filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> Long.parseLong(line.split("\\s+")[1]) * 1024)
                    .findFirst()
                    .orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
