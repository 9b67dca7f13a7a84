package dev.kernelalloc.heap;

import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The names of ranges in the process map. A piece of a mapping that has a name is a mapping of its
 * own, which must cost neither too many of those that the kernel allows, nor a huge page:
 *
 * <ul>
 *   <li>Ranges that lie side by side would be one mapping without names, and are two each with
 *       them. So of all mappings that a process may have no more than an eighth is spent on names;
 *       ranges beyond have none.
 *   <li>No huge page crosses the border of a mapping. So a name begins and ends at a multiple of
 *       its size, and what the range has before and behind that has none. The first range of an
 *       allocator is named from its first page: it may be all that there is.
 * </ul>
 *
 * <p>Chunks of single blocks have no names, as the kernel does not move a mapping in one piece that
 * consists of several, and they may have to grow.
 */
final class RangeNames {

    private static final long HUGE_PAGE_BYTES = 2L << 20;

    /** Of the mappings that a process may have, one in so many may be a named range. */
    private static final int MAPPINGS_SHARE = 16;

    /** Those of all allocators. */
    private static final AtomicLong NAMED = new AtomicLong();

    private final OperatingSystem os;
    private final MappingName name;

    /** Ranges of the process that may have one; negative until the first range is here. */
    private volatile long most = -1;

    /** Where those begin that have a name. */
    private final Set<Long> named = ConcurrentHashMap.newKeySet();

    RangeNames(OperatingSystem os, MappingName name) {
        this.os = os;
        this.name = name;
    }

    /** Names a range, if that is wise. */
    void give(Chunk range) {
        try {
            long from = named.isEmpty() ? range.address() : up(range.address());
            if (NAMED.get() < most() && named.add(range.address())) {
                NAMED.incrementAndGet();
                name.give(from, end(range) - from);
            }
        } catch (OutOfMemoryError | LinkageError _) {
            // The Java heap is exhausted, or was at the first use of what is called here: without
            // a name then.
        }
    }

    private long most() {
        long known = most;
        if (known < 0) {
            known = os.maxMappings() / MAPPINGS_SHARE;
            most = known;
        }
        return known;
    }

    /**
     * Takes the name off a range that is about to go: the C heap may keep its memory for something
     * else.
     */
    void takeOff(Chunk range) {
        try {
            if (named.remove(range.address())) {
                NAMED.decrementAndGet();
                name.takeOff(range.address(), end(range) - range.address());
            }
        } catch (OutOfMemoryError | LinkageError _) {
            // The name goes with the mapping, and one range fewer can have one.
        }
    }

    private static long up(long address) {
        return address + HUGE_PAGE_BYTES - 1 & -HUGE_PAGE_BYTES;
    }

    private static long end(Chunk range) {
        return range.address() + range.bytes() & -HUGE_PAGE_BYTES;
    }
}
