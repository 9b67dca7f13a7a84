package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;

/**
 * How much of the Java heap is committed and has no frames yet. The collector touches that without
 * asking anybody, so a control group that is filled up to its limit kills the process then.
 *
 * <p>The heap's mappings are those that adjoin the one an object lies in. That holds for Serial,
 * Parallel, G1, ZGC and Shenandoah; it is the resident size of these mappings that {@code smaps}
 * knows and no Java interface does. A reading takes milliseconds, so it is repeated after {@link
 * #LIFETIME_NANOS} at the earliest, and nothing is read once all of the heap has been touched.
 */
final class JavaHeap {

    static final JavaHeap OF_PROCESS = new JavaHeap();

    private static final long LIFETIME_NANOS = 100_000_000;

    /** What rounding and archived objects, which are mapped from a file, may hide. */
    private static final long NEGLIGIBLE_BYTES = 1L << 20;

    private static final String SMAPS = "/proc/self/smaps";

    // Guarded by this:
    private long measuredNanos = System.nanoTime() - LIFETIME_NANOS;
    private long touchedBytes;

    private JavaHeap() {}

    /** One that has not read anything. */
    static JavaHeap measuredNow() {
        return new JavaHeap();
    }

    /** Bytes that are committed and have no frame, as of at most a tenth of a second ago. */
    synchronized long untouchedBytes() {
        long committed = Runtime.getRuntime().totalMemory();
        long now = System.nanoTime();
        if (committed - touchedBytes > NEGLIGIBLE_BYTES && now - measuredNanos >= LIFETIME_NANOS) {
            touchedBytes = measure();
            measuredNanos = now;
        }
        return Math.max(0, committed - touchedBytes);
    }

    /** What is in use has been touched, whatever else cannot be found out. */
    private static long measure() {
        Runtime runtime = Runtime.getRuntime();
        long used = runtime.totalMemory() - runtime.freeMemory();
        try {
            return Math.max(used, residentBytes(anyAddress(), runtime.maxMemory()));
        } catch (IOException | NumberFormatException unreadable) {
            return used;
        }
    }

    /** The resident bytes of the adjoining mappings around an address. */
    private static long residentBytes(long address, long mostBytes) throws IOException {
        long lowest = address - mostBytes;
        long highest = address + mostBytes;
        long resident = 0;
        long end = 0;
        boolean found = false;
        boolean counted = false;
        try (var lines =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(SMAPS), StandardCharsets.ISO_8859_1))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("Rss:")) {
                    resident += counted ? kibibytes(line) : 0;
                } else if (isMapping(line)) {
                    int dash = line.indexOf('-');
                    long start = Long.parseUnsignedLong(line, 0, dash, 16);
                    if (start != end && found) {
                        return resident;
                    }
                    resident = start == end ? resident : 0;
                    end = Long.parseUnsignedLong(line, dash + 1, line.indexOf(' '), 16);
                    found |= start <= address && address < end;
                    counted = end > lowest && start < highest;
                }
            }
        }
        return found ? resident : 0;
    }

    /** {@code f0000000-ffe00000 rw-p 00000000 00:00 0}; all other lines begin with a capital. */
    private static boolean isMapping(String line) {
        return !line.isEmpty()
                && Character.digit(line.charAt(0), 16) >= 0
                && line.indexOf('-') > 0
                && line.indexOf(' ') > line.indexOf('-');
    }

    private static long kibibytes(String line) {
        String digits = line.substring("Rss:".length(), line.length() - "kB".length()).strip();
        return Long.parseLong(digits) << 10;
    }

    /** Where an object of the heap lies at this moment. */
    private static long anyAddress() {
        try {
            return (long) Handles.MEMCHR.invokeExact(MemorySegment.ofArray(new byte[1]), 0, 1L);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /**
     * The one critical function of the library, which gives a C function the address of an array:
     * it looks at one byte that was just written, so it neither waits nor faults.
     */
    private static final class Handles {

        private static final MethodHandle MEMCHR =
                Downcall.link(
                        "memchr",
                        FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_INT, JAVA_LONG),
                        Linker.Option.critical(true));
    }
}
