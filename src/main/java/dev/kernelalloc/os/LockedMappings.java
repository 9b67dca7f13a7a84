package dev.kernelalloc.os;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** Ranges of addresses whose pages stay in memory. Each is added once, in any order. */
public final class LockedMappings {

    private static final String MAPPINGS = "/proc/self/smaps";

    /** {@code VM_LOCKED}, as mlock(2) sets it. */
    private static final String LOCKED = "lo";

    /** The end of each by its start. */
    private final TreeMap<Long, Long> ends = new TreeMap<>();

    /** Those of this process, as smaps shows them: a line of flags ends what is said of each. */
    static LockedMappings ofProcess() throws Refusal {
        LockedMappings found = new LockedMappings();
        try (var reader =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(MAPPINGS), StandardCharsets.ISO_8859_1))) {
            long start = 0;
            long end = 0;
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                int dash = line.indexOf('-');
                int space = line.indexOf(' ');
                if (dash > 0 && dash < space && line.charAt(space - 1) != ':') {
                    start = Long.parseUnsignedLong(line, 0, dash, 16);
                    end = Long.parseUnsignedLong(line, dash + 1, space, 16);
                } else if (line.startsWith("VmFlags:") && isLocked(line)) {
                    found.add(start, end);
                }
            }
        } catch (IOException | NumberFormatException | IndexOutOfBoundsException unreadable) {
            throw new Refusal.NotSupported(
                    MAPPINGS
                            + " cannot be read ("
                            + unreadable.getMessage()
                            + "): is /proc mounted?");
        }
        return found;
    }

    private static boolean isLocked(String flags) {
        for (String flag : flags.split(" ")) {
            if (flag.equals(LOCKED)) {
                return true;
            }
        }
        return false;
    }

    /** Adds a range. */
    public void add(long start, long end) {
        ends.put(start, end);
    }

    /** The first address in a range that is in none of these; its end when all are. */
    public long firstOutside(long start, long end) {
        long at = start;
        while (at < end) {
            Map.Entry<Long, Long> below = ends.floorEntry(at);
            if (below == null || below.getValue() <= at) {
                return at;
            }
            at = below.getValue();
        }
        return end;
    }

    /** How many bytes of a range are in none of these. */
    public long bytesOutside(long start, long end) {
        long outside = end - start;
        for (Map.Entry<Long, Long> one : ends.entrySet()) {
            outside -= Math.max(0, Math.min(end, one.getValue()) - Math.max(start, one.getKey()));
        }
        return outside;
    }
}
