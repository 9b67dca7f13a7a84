package dev.kernelalloc.core;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.frames.Frames;
import dev.kernelalloc.heap.Blocks;

import org.jspecify.annotations.Nullable;

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.Stream;

/**
 * An allocator in the registry of the process: the sources of its statistics. Only refusals are
 * counted here; all else is read from the states of blocks and the caches of threads on demand.
 *
 * <p>The registry refers to its entries weakly. An entry is removed once its allocator and all
 * boxes and arenas of that allocator are unreachable.
 */
public final class Registration {

    private static final Set<Reference<Registration>> ALL = ConcurrentHashMap.newKeySet();
    private static final ReferenceQueue<Registration> FORGOTTEN = new ReferenceQueue<>();

    private final String tag;

    /** The source of the pages; only for physical memory. */
    private final @Nullable Frames frames;

    private final List<Blocks> blocks;

    private final AtomicLongArray refusals =
            new AtomicLongArray(AllocationException.Reason.values().length);

    /** Whether the memory is that of a program's own source. */
    private final boolean supplied;

    private Registration(
            String tag, @Nullable Frames frames, List<Blocks> blocks, boolean supplied) {
        this.supplied = supplied;
        this.tag = tag;
        this.frames = frames;
        this.blocks = blocks;
    }

    /**
     * Registers a new allocator, which {@link #all} includes as long as it is reachable.
     *
     * @param blocks all of its blocks, which share one peak
     */
    public static Registration open(String tag, @Nullable Frames frames, List<Blocks> blocks) {
        return open(new Registration(tag, frames, blocks, false));
    }

    /** Registers a new allocator over the C heap, or over the memory of a program's own source. */
    static Registration open(String tag, Blocks blocks, boolean supplied) {
        return open(new Registration(tag, null, List.of(blocks), supplied));
    }

    private static Registration open(Registration registration) {
        forget();
        ALL.add(new WeakReference<>(registration, FORGOTTEN));
        return registration;
    }

    /** Returns the entries of all allocators that are open or still have memory. */
    public static Stream<Registration> all() {
        forget();
        return ALL.stream()
                .map(Reference::get)
                .filter(Objects::nonNull)
                .filter(Registration::isAlive);
    }

    private static void forget() {
        for (Reference<?> one = FORGOTTEN.poll(); one != null; one = FORGOTTEN.poll()) {
            ALL.remove(one);
        }
    }

    private boolean isAlive() {
        return blocks.stream()
                .anyMatch(one -> !one.isClosed() || one.counters().capacityBytes() > 0);
    }

    /** Counts a refused request. Allocates nothing: the Java heap may be what is exhausted. */
    void refused(AllocationException.Reason reason) {
        refusals.incrementAndGet(reason.ordinal());
    }

    public String tag() {
        return tag;
    }

    /** Returns whether the memory is that of a program's own source. */
    public boolean isSupplied() {
        return supplied;
    }

    /** Returns the source of the pages; null for memory of the system heap. */
    public @Nullable Frames frames() {
        return frames;
    }

    /** Returns all blocks of the allocator, which share one peak. */
    public List<Blocks> blocks() {
        return blocks;
    }

    /** Returns the number of refused requests by reason. */
    public Map<AllocationException.Reason, Long> refusals() {
        Map<AllocationException.Reason, Long> counts =
                new EnumMap<>(AllocationException.Reason.class);
        for (AllocationException.Reason reason : AllocationException.Reason.values()) {
            long count = refusals.get(reason.ordinal());
            if (count > 0) {
                counts.put(reason, count);
            }
        }
        return counts;
    }
}
