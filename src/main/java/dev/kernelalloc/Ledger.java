package dev.kernelalloc;

import dev.kernelalloc.AllocatorStats.Amount;
import dev.kernelalloc.AllocatorStats.Chunks;
import dev.kernelalloc.AllocatorStats.Large;
import dev.kernelalloc.AllocatorStats.SizeClass;
import dev.kernelalloc.frames.Frames;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Counters;
import dev.kernelalloc.heap.Tally;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalSlab;

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
final class Ledger {

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
    static Ledger open(String tag, @Nullable Frames frames, List<Blocks> blocks) {
        Ledger ledger = new Ledger(tag, frames, blocks);
        forget();
        ALL.add(new WeakReference<>(ledger, FORGOTTEN));
        return ledger;
    }

    /** Those of all allocators that are open or still have memory. */
    static Stream<Ledger> all() {
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

    /** Returns the present statistics. */
    AllocatorStats read() {
        List<Counters> counters = blocks.stream().map(Blocks::counters).toList();
        return AllocatorStats.of(
                tag,
                counters.stream()
                        .flatMap(one -> one.classes().stream())
                        .map(Ledger::sizeClass)
                        .toList(),
                counters.stream().map(one -> large(one.large())).reduce(Large.NONE, Large::plus),
                blocks.getFirst().peakBytes(),
                frames == null ? ofSystemHeap(counters) : ofPages(frames),
                refusals());
    }

    private static SizeClass sizeClass(Counters.OfClass one) {
        return new SizeClass(
                one.blockBytes(),
                one.slabs(),
                one.live(),
                one.cached(),
                one.remote(),
                one.free(),
                one.quarantined());
    }

    private static Large large(Counters.Large large) {
        return new Large(amount(large.live()), amount(large.free()), amount(large.quarantined()));
    }

    private static Amount amount(Tally tally) {
        return new Amount(tally.blocks(), tally.bytes());
    }

    private static List<Chunks> ofSystemHeap(List<Counters> counters) {
        Tally sum = counters.stream().map(Counters::chunks).reduce(Tally.NONE, Tally::plus);
        return sum.blocks() == 0
                ? List.of()
                : List.of(new Chunks(MemoryKind.SYSTEM_HEAP, Set.of(), sum.blocks(), sum.bytes()));
    }

    private static List<Chunks> ofPages(Frames frames) {
        return frames.map().slabs().stream().map(Ledger::chunk).toList();
    }

    private static Chunks chunk(PhysicalSlab slab) {
        Set<Guarantee> reached = slab.guarantees();
        return new Chunks(
                MemoryKind.of(slab.provenance().way()), reached, 1, slab.memory().byteSize());
    }

    private Map<AllocationException.Reason, Long> refusals() {
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
