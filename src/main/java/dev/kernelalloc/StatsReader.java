package dev.kernelalloc;

import dev.kernelalloc.AllocatorStats.Amount;
import dev.kernelalloc.AllocatorStats.Chunks;
import dev.kernelalloc.AllocatorStats.Large;
import dev.kernelalloc.AllocatorStats.SizeClass;
import dev.kernelalloc.core.Registration;
import dev.kernelalloc.frames.Frames;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Counters;
import dev.kernelalloc.heap.Tally;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalSlab;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Reads statistics from the counters of the registered allocators. */
final class StatsReader {

    private StatsReader() {}

    /** Implements {@link AllocatorStats#byTag}. */
    static List<AllocatorStats> byTag() {
        Map<String, AllocatorStats> sums = new TreeMap<>();
        Registration.all()
                .map(StatsReader::read)
                .forEach(one -> sums.merge(one.tag(), one, AllocatorStats::plus));
        List<AllocatorStats> largestFirst = new ArrayList<>(sums.values());
        largestFirst.sort(Comparator.comparingLong(AllocatorStats::capacityBytes).reversed());
        return List.copyOf(largestFirst);
    }

    /** Returns the present statistics of an allocator. */
    static AllocatorStats read(Registration registration) {
        Frames frames = registration.frames();
        List<Counters> counters = registration.blocks().stream().map(Blocks::counters).toList();
        return AllocatorStats.of(
                registration.tag(),
                counters.stream()
                        .flatMap(one -> one.classes().stream())
                        .map(StatsReader::sizeClass)
                        .toList(),
                counters.stream().map(one -> large(one.large())).reduce(Large.NONE, Large::plus),
                registration.blocks().getFirst().peakBytes(),
                frames == null ? ofRanges(counters, registration) : ofPages(frames),
                registration.refusals());
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

    private static List<Chunks> ofRanges(List<Counters> counters, Registration registration) {
        MemoryKind kind = registration.isSupplied() ? MemoryKind.SUPPLIED : MemoryKind.SYSTEM_HEAP;
        Tally sum = counters.stream().map(Counters::chunks).reduce(Tally.NONE, Tally::plus);
        return sum.blocks() == 0
                ? List.of()
                : List.of(new Chunks(kind, Set.of(), sum.blocks(), sum.bytes()));
    }

    private static List<Chunks> ofPages(Frames frames) {
        return frames.map().slabs().stream().map(StatsReader::chunk).toList();
    }

    private static Chunks chunk(PhysicalSlab slab) {
        Set<Guarantee> reached = slab.guarantees();
        return new Chunks(
                MemoryKind.of(slab.provenance().backing()), reached, 1, slab.memory().byteSize());
    }
}
