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
 * From what the statistics of an allocator are made when they are asked for. Nothing writes to it
 * but refusals: all else is read from the states of blocks and the caches of threads.
 *
 * <p>Those of all allocators are known, weakly: an allocator that nothing refers to any more, and
 * none of whose boxes and arenas is left, is forgotten.
 */
public final class Ledger {

    private static final Set<Reference<Ledger>> ALL = ConcurrentHashMap.newKeySet();
    private static final ReferenceQueue<Ledger> FORGOTTEN = new ReferenceQueue<>();

    private final String tag;

    /** The source of the pages; only for physical memory. */
    private final @Nullable Frames frames;

    private final List<Blocks> blocks;

    private final AtomicLongArray refusals =
            new AtomicLongArray(AllocationException.Reason.values().length);

    private Ledger(String tag, @Nullable Frames frames, List<Blocks> blocks) {
        this.tag = tag;
        this.frames = frames;
        this.blocks = blocks;
    }

    /**
     * Registers a new allocator, which {@link #all} includes as long as it is reachable.
     *
     * @param blocks all of its blocks, which share one peak
     */
    public static Ledger open(String tag, @Nullable Frames frames, List<Blocks> blocks) {
        Ledger ledger = new Ledger(tag, frames, blocks);
        forget();
        ALL.add(new WeakReference<>(ledger, FORGOTTEN));
        return ledger;
    }

    /** Those of all allocators that are open or still have memory. */
    public static Stream<Ledger> all() {
        forget();
        return ALL.stream().map(Reference::get).filter(Objects::nonNull).filter(Ledger::isAlive);
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

    /** A request has been refused. Allocates nothing: the Java heap may be what is exhausted. */
    void refused(AllocationException.Reason reason) {
        refusals.incrementAndGet(reason.ordinal());
    }

    public String tag() {
        return tag;
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
