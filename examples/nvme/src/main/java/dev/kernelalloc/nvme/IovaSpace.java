package dev.kernelalloc.nvme;

import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * The addresses that an IOMMU translates, with a record of the free ones. Safe to use from any
 * thread.
 */
final class IovaSpace {

    /**
     * The reach of one second-level entry: large memory that is aligned to it needs few entries.
     */
    private static final long LARGE_PAGE_BYTES = 2 << 20;

    private static final long PAGE_BYTES = 4096;

    /** Maps the first address of each free range to the first one behind it. */
    private final NavigableMap<Long, Long> free = new TreeMap<>();

    /**
     * Adds a range that may be used.
     *
     * @param start its first address
     * @param end the first address behind it
     */
    synchronized void add(long start, long end) {
        Map.Entry<Long, Long> before = free.floorEntry(start);
        if (before != null && before.getValue() == start) {
            start = before.getKey();
        }
        Long behind = free.remove(end);
        free.put(start, behind == null ? end : behind);
    }

    /**
     * Takes the lowest free addresses that fit.
     *
     * @param bytes whole pages
     * @return the first address
     * @throws IllegalStateException when there is no room
     */
    synchronized long take(long bytes) {
        long alignment = bytes < LARGE_PAGE_BYTES ? PAGE_BYTES : LARGE_PAGE_BYTES;
        for (Map.Entry<Long, Long> range : free.entrySet()) {
            long start = range.getKey();
            long end = range.getValue();
            long taken = Math.ceilDiv(start, alignment) * alignment;
            if (taken <= end - bytes) {
                free.remove(start);
                if (start < taken) {
                    free.put(start, taken);
                }
                if (taken + bytes < end) {
                    free.put(taken + bytes, end);
                }
                return taken;
            }
        }
        throw new IllegalStateException("no room for devices to address: bytes=" + bytes);
    }
}
