package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The argument of the ioctl that reports which pages are huge, without showing their frames: {@code
 * struct pm_scan_arg} and {@code struct page_region} of linux/fs.h, since Linux 6.7.
 */
final class PageScan implements AutoCloseable {

    /** {@code _IOWR('f', 16, struct pm_scan_arg)}. */
    static final long PAGEMAP_SCAN = 0xC0606610L;

    static final long PAGE_IS_PRESENT = 1 << 3;
    static final long PAGE_IS_HUGE = 1 << 6;

    static final long PM_SCAN_ARG_BYTES = 96;
    static final long PAGE_REGION_BYTES = 24;

    static final long SIZE = 0;
    static final long START = 16;
    static final long END = 24;
    static final long WALK_END = 32;
    static final long VEC = 40;
    static final long VEC_LEN = 48;
    static final long CATEGORY_MASK = 72;
    static final long RETURN_MASK = 88;

    /** Adjacent pages of the same categories are one region, so a few are enough to begin with. */
    private static final long REGIONS = 1024;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment argument = arena.allocate(PM_SCAN_ARG_BYTES, Long.BYTES);
    private final MemorySegment regions = arena.allocate(REGIONS * PAGE_REGION_BYTES, Long.BYTES);

    /** For the pages of a range that are present and huge. */
    MemorySegment of(long address, long bytes) {
        argument.set(JAVA_LONG, SIZE, PM_SCAN_ARG_BYTES);
        argument.set(JAVA_LONG, START, address);
        argument.set(JAVA_LONG, END, address + bytes);
        argument.set(JAVA_LONG, VEC, regions.address());
        argument.set(JAVA_LONG, VEC_LEN, REGIONS);
        argument.set(JAVA_LONG, CATEGORY_MASK, PAGE_IS_PRESENT | PAGE_IS_HUGE);
        argument.set(JAVA_LONG, RETURN_MASK, PAGE_IS_HUGE);
        return argument;
    }

    /**
     * Returns the bytes of the regions found; those beyond the first {@value #REGIONS} count as not
     * found.
     */
    long foundBytes() {
        long walked = argument.get(JAVA_LONG, WALK_END);
        long bytes = 0;
        for (long i = 0; i < REGIONS; i++) {
            long start = regions.get(JAVA_LONG, i * PAGE_REGION_BYTES);
            long end = regions.get(JAVA_LONG, i * PAGE_REGION_BYTES + Long.BYTES);
            bytes += Math.min(end, walked) - Math.min(start, walked);
        }
        return bytes;
    }

    @Override
    public void close() {
        arena.close();
    }
}
