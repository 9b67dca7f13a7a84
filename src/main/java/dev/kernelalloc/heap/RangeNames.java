package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The names of ranges in the process map. A named piece of a mapping is a separate mapping, which
 * must cost neither too many of the mappings that the kernel allows, nor a huge page:
 *
 * <ul>
 *   <li>Adjacent ranges would be one mapping without names, and are two each with them. So no more
 *       than an eighth of all mappings that a process may have is spent on names; ranges beyond
 *       that have none.
 *   <li>No huge page crosses the border of a mapping. So a name begins and ends at a multiple of
 *       the huge page size, and the rest of the range before and behind it has no name. The first
 *       range of an allocator is named from its first page: it may remain the only one.
 * </ul>
 *
 * <p>Chunks of single blocks have no names: they may have to grow, and the kernel does not move
 * several mappings as one.
 */
final class RangeNames {

    private static final long HUGE_PAGE_BYTES = 2L << 20;

    /** One in this many of the mappings that a process may have may be a named range. */
    private static final int MAPPINGS_SHARE = 16;

    /** The number of named ranges of all allocators. */
    private static final AtomicLong NAMED = new AtomicLong();

    private final OperatingSystem os;
    private final MappingName name;

    /** How many ranges of the process may be named; negative before the first range. */
    private volatile long limit = -1;

    /** The addresses of the named ranges. */
    private final Set<Long> named = ConcurrentHashMap.newKeySet();

    RangeNames(OperatingSystem os, MappingName name) {
        this.os = os;
        this.name = name;
    }

    /** Names a range, if the limits allow it. */
    void assign(Chunk range) {
        try {
            long from =
                    named.isEmpty()
                            ? range.address()
                            : Alignment.up(range.address(), HUGE_PAGE_BYTES);
            if (NAMED.get() < limit() && named.add(range.address())) {
                NAMED.incrementAndGet();
                name.assign(from, end(range) - from);
            }
        } catch (OutOfMemoryError | LinkageError _) {
            // The Java heap is exhausted, or was at the first use of what is called here: the range
            // stays unnamed.
        }
    }

    private long limit() {
        long known = limit;
        if (known < 0) {
            known = os.maxMappings() / MAPPINGS_SHARE;
            limit = known;
        }
        return known;
    }

    /** Removes the name of a range before it is released: the C heap may reuse its memory. */
    void clear(Chunk range) {
        try {
            if (named.remove(range.address())) {
                NAMED.decrementAndGet();
                name.clear(range.address(), end(range) - range.address());
            }
        } catch (OutOfMemoryError | LinkageError _) {
            // The name ends with the mapping, and one more range can be named.
        }
    }

    private static long end(Chunk range) {
        return Alignment.down(range.address() + range.bytes(), HUGE_PAGE_BYTES);
    }
}
