package dev.kernelalloc;

import dev.kernelalloc.core.Registration;
import dev.kernelalloc.core.TextTable;
import dev.kernelalloc.frames.Frames;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Counters;
import dev.kernelalloc.heap.Counters.Tally;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalSlab;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The memory of an allocator by its use. The numbers are exact when no call on the allocator is in
 * progress; otherwise each is approximate, and never negative.
 *
 * <p>When no call is in progress, {@code live + cached + remote + free + quarantined = capacity},
 * in blocks and in bytes, as a whole and for each size. Allocating and freeing count nothing: the
 * numbers are computed on request from the allocator's own structures, which takes some
 * microseconds for each MiB of slabs.
 */
public final class AllocatorStats {

    private final Values values;

    private AllocatorStats(Values values) {
        this.values = values;
    }

    private record Values(
            String tag,
            int allocators,
            Amount live,
            Amount cached,
            Amount remote,
            Amount free,
            Amount quarantined,
            Amount capacity,
            long peakBytes,
            List<SizeClass> sizeClasses,
            Large large,
            List<Chunks> chunks,
            Map<AllocationException.Reason, Long> refusals) {

        private Values {
            sizeClasses = List.copyOf(sizeClasses);
            chunks = List.copyOf(chunks);
            refusals = Map.copyOf(refusals);
        }
    }

    /**
     * Returns the tag of the allocator.
     *
     * @return the tag
     */
    public String tag() {
        return values.tag;
    }

    /**
     * Returns the number of allocators with that tag that are added up here.
     *
     * @return 1 for one allocator
     */
    public int allocators() {
        return values.allocators;
    }

    /**
     * Returns the blocks in use: raw ones, and those of boxes and arenas, with the bytes taken for
     * them, which is their usable size.
     *
     * @return the number and the bytes
     */
    public Amount live() {
        return values.live;
    }

    /**
     * Returns the free blocks in the caches of threads.
     *
     * @return the number and the bytes
     */
    public Amount cached() {
        return values.cached;
    }

    /**
     * Returns the blocks freed by another thread than the owner of the slab, which has not
     * collected them yet.
     *
     * @return the number and the bytes
     */
    public Amount remote() {
        return values.remote;
    }

    /**
     * Returns all other free blocks.
     *
     * @return the number and the bytes
     */
    public Amount free() {
        return values.free;
    }

    /**
     * Returns the freed blocks that a hardened allocator withholds from use.
     *
     * @return the number and the bytes
     */
    public Amount quarantined() {
        return values.quarantined;
    }

    /**
     * Returns the sum of {@link #live}, {@link #cached}, {@link #remote}, {@link #free} and {@link
     * #quarantined}; free pages of it may have been returned to the system.
     *
     * @return the number and the bytes
     */
    public Amount capacity() {
        return values.capacity;
    }

    /**
     * Returns the largest number of bytes of {@link #capacity} so far; of several allocators the
     * sum.
     *
     * @return the number of bytes
     */
    public long peakBytes() {
        return values.peakBytes;
    }

    /**
     * Returns the blocks that are cut from slabs, by size.
     *
     * @return the sizes that exist, the smallest first
     */
    public List<SizeClass> sizeClasses() {
        return values.sizeClasses;
    }

    /**
     * Returns the blocks that are not cut from slabs.
     *
     * @return the numbers of blocks and their bytes
     */
    public Large large() {
        return values.large;
    }

    /**
     * Returns the memory taken from the system, by its kind and guarantees.
     *
     * @return the kinds that exist
     */
    public List<Chunks> chunks() {
        return values.chunks;
    }

    /**
     * Returns the requests that ended in an {@link AllocationException}, or in an empty result of
     * {@link KernelAllocator#tryAllocate}, by reason.
     *
     * @return the numbers of requests; reasons without any are absent
     */
    public Map<AllocationException.Reason, Long> refusals() {
        return values.refusals;
    }

    /**
     * A number of blocks and their bytes.
     *
     * @param blocks the number of blocks
     * @param bytes the bytes of all of them together
     */
    public record Amount(long blocks, long bytes) {

        static final Amount NONE = new Amount(0, 0);

        private static Amount of(Tally tally) {
            return new Amount(tally.blocks(), tally.bytes());
        }

        Amount plus(Amount other) {
            return new Amount(blocks + other.blocks, bytes + other.bytes);
        }
    }

    /**
     * The blocks of one size, which are cut from slabs.
     *
     * @param blockBytes the size of each block
     * @param slabs the number of slabs
     * @param live blocks in use
     * @param cached blocks in the caches of threads
     * @param remote blocks freed by other threads, not yet collected
     * @param free blocks that are free in their slabs
     * @param quarantined blocks freed and kept from use
     */
    public record SizeClass(
            long blockBytes,
            long slabs,
            long live,
            long cached,
            long remote,
            long free,
            long quarantined) {

        /**
         * Returns the number of all blocks of this size.
         *
         * @return the number of blocks
         */
        public long blocks() {
            return live + cached + remote + free + quarantined;
        }

        private static SizeClass of(Counters.OfClass one) {
            return new SizeClass(
                    one.blockBytes(),
                    one.slabs(),
                    one.live(),
                    one.cached(),
                    one.remote(),
                    one.free(),
                    one.quarantined());
        }

        private SizeClass plus(SizeClass other) {
            return new SizeClass(
                    blockBytes,
                    slabs + other.slabs,
                    live + other.live,
                    cached + other.cached,
                    remote + other.remote,
                    free + other.free,
                    quarantined + other.quarantined);
        }
    }

    /**
     * The blocks that have memory of their own: those of more than 16 MiB or aligned to more than
     * 64 KiB, those of whole pages by a request, and all of {@link PoolAllocator#systemHeap}.
     *
     * @param live blocks in use
     * @param free blocks kept for reuse
     * @param quarantined freed blocks that are withheld from use
     */
    public record Large(Amount live, Amount free, Amount quarantined) {

        private static final Large NONE = new Large(Amount.NONE, Amount.NONE, Amount.NONE);

        private static Large of(Counters.Large large) {
            return new Large(
                    Amount.of(large.live()),
                    Amount.of(large.free()),
                    Amount.of(large.quarantined()));
        }

        private Large plus(Large other) {
            return new Large(
                    live.plus(other.live),
                    free.plus(other.free),
                    quarantined.plus(other.quarantined));
        }
    }

    /**
     * Memory of one kind: ranges that slabs are cut from, memory of single blocks, and pages that
     * are kept for such.
     *
     * @param kind the kind of memory
     * @param guarantees the guarantees of its pages
     * @param count the number of pieces
     * @param bytes the bytes of all of them; address space, of which a {@link PoolAllocator} has
     *     touched only what blocks have used
     */
    public record Chunks(MemoryKind kind, Set<Guarantee> guarantees, long count, long bytes) {

        /** Copies its guarantees. */
        public Chunks {
            guarantees = Set.copyOf(guarantees);
        }

        private static Chunks of(PhysicalSlab slab) {
            return new Chunks(
                    MemoryKind.of(slab.provenance().backing()),
                    slab.guarantees(),
                    1,
                    slab.memory().byteSize());
        }

        private Chunks plus(Chunks other) {
            return new Chunks(kind, guarantees, count + other.count, bytes + other.bytes);
        }

        private List<Guarantee> sortedGuarantees() {
            return guarantees.stream().sorted().toList();
        }

        private String promised() {
            return guarantees.isEmpty()
                    ? "nothing"
                    : sortedGuarantees().stream()
                            .map(one -> one.name().toLowerCase(Locale.ROOT))
                            .collect(Collectors.joining("+"));
        }
    }

    /** Reads the present counters of an allocator. */
    static AllocatorStats of(Registration registration) {
        Frames frames = registration.frames();
        List<Counters> counters = registration.blocks().stream().map(Blocks::counters).toList();
        return of(
                registration.tag(),
                1,
                counters.stream()
                        .flatMap(one -> one.classes().stream())
                        .map(SizeClass::of)
                        .toList(),
                counters.stream().map(one -> Large.of(one.large())).reduce(Large.NONE, Large::plus),
                registration.blocks().getFirst().peakBytes(),
                frames == null ? ofRanges(counters, registration) : ofPages(frames),
                registration.refusals());
    }

    private static List<Chunks> ofRanges(List<Counters> counters, Registration registration) {
        MemoryKind kind = registration.isSupplied() ? MemoryKind.SUPPLIED : MemoryKind.SYSTEM_HEAP;
        Tally sum = counters.stream().map(Counters::chunks).reduce(Tally.NONE, Tally::plus);
        return sum.blocks() == 0
                ? List.of()
                : List.of(new Chunks(kind, Set.of(), sum.blocks(), sum.bytes()));
    }

    private static List<Chunks> ofPages(Frames frames) {
        return frames.map().slabs().stream().map(Chunks::of).toList();
    }

    /** With the sums; what has the same size, or is of the same kind, becomes one. */
    private static AllocatorStats of(
            String tag,
            int allocators,
            List<SizeClass> sizeClasses,
            Large large,
            long peakBytes,
            List<Chunks> chunks,
            Map<AllocationException.Reason, Long> refusals) {
        Amount live = sum(sizeClasses, SizeClass::live).plus(large.live);
        Amount cached = sum(sizeClasses, SizeClass::cached);
        Amount remote = sum(sizeClasses, SizeClass::remote);
        Amount free = sum(sizeClasses, SizeClass::free).plus(large.free);
        Amount quarantined = sum(sizeClasses, SizeClass::quarantined).plus(large.quarantined);
        Values values =
                new Values(
                        tag,
                        allocators,
                        live,
                        cached,
                        remote,
                        free,
                        quarantined,
                        live.plus(cached).plus(remote).plus(free).plus(quarantined),
                        peakBytes,
                        bySize(sizeClasses),
                        large,
                        byKind(chunks),
                        refusals);
        return new AllocatorStats(values);
    }

    private static Amount sum(List<SizeClass> sizeClasses, Function<SizeClass, Long> place) {
        Amount sum = Amount.NONE;
        for (SizeClass one : sizeClasses) {
            long blocks = place.apply(one);
            sum = sum.plus(new Amount(blocks, blocks * one.blockBytes));
        }
        return sum;
    }

    private static List<SizeClass> bySize(List<SizeClass> sizeClasses) {
        Map<Long, SizeClass> sums = new TreeMap<>();
        sizeClasses.forEach(one -> sums.merge(one.blockBytes, one, SizeClass::plus));
        return List.copyOf(sums.values());
    }

    private static List<Chunks> byKind(List<Chunks> chunks) {
        record Kind(MemoryKind kind, List<Guarantee> guarantees) {}
        Map<Kind, Chunks> sums =
                new TreeMap<>(
                        Comparator.comparing(Kind::kind)
                                .thenComparing(kind -> kind.guarantees.toString()));
        chunks.forEach(
                one -> sums.merge(new Kind(one.kind, one.sortedGuarantees()), one, Chunks::plus));
        return List.copyOf(sums.values());
    }

    // ---- the whole process --------------------------------------------------------------------

    /**
     * Returns the statistics of all allocators of the process that are open or still have memory;
     * those with the same tag are added up. An allocator that was dropped without being closed is
     * included for as long as one of its boxes or arenas, or the allocator itself, is reachable.
     *
     * @return one element per tag, the largest capacity first
     */
    public static List<AllocatorStats> byTag() {
        Map<String, AllocatorStats> sums = new TreeMap<>();
        Registration.all()
                .map(AllocatorStats::of)
                .forEach(one -> sums.merge(one.tag(), one, AllocatorStats::plus));
        List<AllocatorStats> largestFirst = new ArrayList<>(sums.values());
        largestFirst.sort(Comparator.comparingLong(AllocatorStats::capacityBytes).reversed());
        return List.copyOf(largestFirst);
    }

    private AllocatorStats plus(AllocatorStats other) {
        Map<AllocationException.Reason, Long> bothRefused =
                new EnumMap<>(AllocationException.Reason.class);
        bothRefused.putAll(values.refusals);
        other.values.refusals.forEach(
                (reason, count) -> bothRefused.merge(reason, count, Long::sum));
        return of(
                values.tag,
                values.allocators + other.values.allocators,
                joined(values.sizeClasses, other.values.sizeClasses),
                values.large.plus(other.values.large),
                values.peakBytes + other.values.peakBytes,
                joined(values.chunks, other.values.chunks),
                bothRefused);
    }

    private static <T> List<T> joined(List<T> some, List<T> others) {
        List<T> all = new ArrayList<>(some);
        all.addAll(others);
        return all;
    }

    // ---- the numbers that are asked for most --------------------------------------------------

    /**
     * Returns the number of blocks in use.
     *
     * @return {@code live().blocks()}
     */
    public long liveBlocks() {
        return values.live.blocks;
    }

    /**
     * Returns the bytes taken for blocks in use.
     *
     * @return {@code live().bytes()}
     */
    public long liveBytes() {
        return values.live.bytes;
    }

    /**
     * Returns the bytes in the caches of threads.
     *
     * @return {@code cached().bytes()}
     */
    public long cachedBytes() {
        return values.cached.bytes;
    }

    /**
     * Returns the bytes freed by other threads and not yet collected.
     *
     * @return {@code remote().bytes()}
     */
    public long remoteBytes() {
        return values.remote.bytes;
    }

    /**
     * Returns the bytes that are free and in no cache.
     *
     * @return {@code free().bytes()}
     */
    public long freeBytes() {
        return values.free.bytes;
    }

    /**
     * Returns the bytes freed and withheld from use.
     *
     * @return {@code quarantined().bytes()}
     */
    public long quarantinedBytes() {
        return values.quarantined.bytes;
    }

    /**
     * Returns the bytes of all blocks, used or not.
     *
     * @return {@code capacity().bytes()}
     */
    public long capacityBytes() {
        return values.capacity.bytes;
    }

    /**
     * Returns the bytes taken from the system, including those that no block has been cut from.
     *
     * @return the sum over {@link #chunks}
     */
    public long reservedBytes() {
        return values.chunks.stream().mapToLong(Chunks::bytes).sum();
    }

    /**
     * Returns the number of refused requests.
     *
     * @return the sum over {@link #refusals}
     */
    public long refusedRequests() {
        return values.refusals.values().stream().mapToLong(Long::longValue).sum();
    }

    // ---- for people ---------------------------------------------------------------------------

    /**
     * Formats the statistics as a table for people, of several lines.
     *
     * @return the text, which ends with a line separator; its form may change
     */
    public String describe() {
        String allocators = values.allocators > 1 ? ", " + values.allocators + " allocators" : "";
        return "'" + values.tag + "'" + allocators + "\n" + uses() + sizes() + memory() + reasons();
    }

    private TextTable uses() {
        TextTable table = new TextTable("", "blocks", "bytes");
        table.add("live", values.live.blocks, values.live.bytes);
        table.add("cached", values.cached.blocks, values.cached.bytes);
        table.add("remote", values.remote.blocks, values.remote.bytes);
        table.add("free", values.free.blocks, values.free.bytes);
        table.add("quarantined", values.quarantined.blocks, values.quarantined.bytes);
        table.add("capacity", values.capacity.blocks, values.capacity.bytes);
        table.add("at most", "", values.peakBytes);
        return table;
    }

    private TextTable sizes() {
        TextTable table =
                new TextTable("size", "slabs", "live", "cached", "remote", "free", "quarantined");
        for (SizeClass one : values.sizeClasses) {
            table.add(
                    one.blockBytes,
                    one.slabs,
                    one.live,
                    one.cached,
                    one.remote,
                    one.free,
                    one.quarantined);
        }
        Large large = values.large;
        if (!large.equals(Large.NONE)) {
            table.add(
                    "larger",
                    "",
                    large.live.blocks,
                    "",
                    "",
                    large.free.blocks,
                    large.quarantined.blocks);
        }
        return table;
    }

    private TextTable memory() {
        TextTable table = new TextTable("memory of", "pieces", "bytes", "promised");
        values.chunks.forEach(one -> table.add(one.kind, one.count, one.bytes, one.promised()));
        return table;
    }

    private TextTable reasons() {
        TextTable table = new TextTable("refused", "requests");
        new TreeMap<>(values.refusals).forEach(table::add);
        return table;
    }

    /** Returns whether another object has the same numbers. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof AllocatorStats stats && values.equals(stats.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }

    /** Returns the main numbers in one line. */
    @Override
    public String toString() {
        String refused =
                values.refusals.isEmpty()
                        ? ""
                        : new TreeMap<>(values.refusals)
                                .entrySet().stream()
                                        .map(one -> one.getKey() + "=" + one.getValue())
                                        .collect(Collectors.joining(", ", ", refused ", ""));
        return String.format(
                Locale.ROOT,
                "%s: %d live blocks of %d bytes, capacity %d, at most %d, reserved %d bytes%s",
                values.tag,
                values.live.blocks,
                values.live.bytes,
                values.capacity.bytes,
                values.peakBytes,
                reservedBytes(),
                refused);
    }
}
