package dev.kernelalloc.os;

import dev.kernelalloc.os.KernelFiles.Content;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;

/** Ranges of addresses whose pages stay in memory. Each is added once, in any order. */
public final class LockedMappings {

    static final String SMAPS = "/proc/self/smaps";

    /** {@code VM_LOCKED}, as mlock(2) sets it. */
    private static final String LOCKED = "lo";

    /** The end of each by its start. */
    private final TreeMap<Long, Long> ends = new TreeMap<>();

    /** Those of this process, as smaps shows them: a line of flags ends what is said of each. */
    static LockedMappings read(KernelFiles files) throws Refusal {
        LockedMappings found = new LockedMappings();
        AtomicReference<MappingLine> current = new AtomicReference<>(new MappingLine(0, 0, false));
        Content smaps =
                files.lines(
                        SMAPS,
                        line -> {
                            MappingLine.of(line).ifPresent(current::set);
                            if (line.startsWith("VmFlags:") && isLocked(line)) {
                                found.add(current.get().start(), current.get().end());
                            }
                        });
        if (!smaps.isRead()) {
            throw smaps.refusal(SMAPS);
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
