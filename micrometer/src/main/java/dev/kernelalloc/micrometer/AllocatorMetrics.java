package dev.kernelalloc.micrometer;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.micrometer.core.instrument.binder.MeterBinder;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * Binds the statistics of one allocator to registries.
 *
 * <table class="striped">
 *   <caption>Meters, each with the tag {@code allocator}</caption>
 *   <thead>
 *     <tr><th scope="col">name</th><th scope="col">kind</th><th scope="col">meaning</th></tr>
 *   </thead>
 *   <tbody>
 *     <tr><td>{@code kernelalloc.memory.used}</td><td>gauge, bytes</td><td>by {@code state}:
 *       {@code live}, {@code cached}, {@code remote}, {@code free}, {@code quarantined}; the sum is
 *       the capacity</td></tr>
 *     <tr><td>{@code kernelalloc.blocks}</td><td>gauge</td><td>the same in blocks</td></tr>
 *     <tr><td>{@code kernelalloc.memory.peak}</td><td>gauge, bytes</td><td>the largest
 *       capacity so far</td></tr>
 *     <tr><td>{@code kernelalloc.memory.reserved}</td><td>gauge, bytes</td><td>taken from the
 *       system; address space, of which a pool has touched a part</td></tr>
 *     <tr><td>{@code kernelalloc.memory.charged}</td><td>gauge, bytes</td><td>what counts against
 *       the limit, children included</td></tr>
 *     <tr><td>{@code kernelalloc.memory.limit}</td><td>gauge, bytes</td><td>the limit; NaN
 *       without one</td></tr>
 *     <tr><td>{@code kernelalloc.refusals}</td><td>counter</td><td>refused requests, by {@code
 *       reason}</td></tr>
 *     <tr><td>{@code kernelalloc.leaks}</td><td>counter</td><td>lost owners, by {@code kind};
 *       counted where the allocator has a {@link LeakMetrics} as listener</td></tr>
 *     <tr><td>{@code kernelalloc.leaked}</td><td>counter, bytes</td><td>their memory</td></tr>
 *   </tbody>
 * </table>
 *
 * <p>All meters of one allocator are read from one {@linkplain KernelAllocator#stats snapshot},
 * which is taken anew when it is a second old: once for each scrape, however many meters it reads.
 *
 * <p>A registry does not keep the allocator reachable. Once it is unreachable its gauges are NaN
 * and its counters keep their last value. Safe for use by any thread.
 */
public final class AllocatorMetrics implements MeterBinder, AutoCloseable {

    private static final String USED = "kernelalloc.memory.used";

    private enum State {
        LIVE(AllocatorStats::live),
        CACHED(AllocatorStats::cached),
        REMOTE(AllocatorStats::remote),
        FREE(AllocatorStats::free),
        QUARANTINED(AllocatorStats::quarantined);

        private final Function<AllocatorStats, AllocatorStats.Amount> amount;

        State(Function<AllocatorStats, AllocatorStats.Amount> amount) {
            this.amount = amount;
        }

        Tag tag() {
            return Tag.of("state", name().toLowerCase(Locale.ROOT));
        }

        double bytes(AllocatorStats stats) {
            return amount.apply(stats).bytes();
        }

        double blocks(AllocatorStats stats) {
            return amount.apply(stats).blocks();
        }
    }

    /** Gauges in bytes, one for each allocator. */
    private enum Amount {
        PEAK("peak", "The largest capacity so far", s -> s.stats().peakBytes()),
        RESERVED("reserved", "Address space from the system", s -> s.stats().reservedBytes()),
        CHARGED("charged", "What counts against the limit, with children", Snapshot::charged),
        LIMIT("limit", "The limit; NaN without one", Snapshot::limitOrNaN);

        private final String meter;
        private final String description;
        private final ToDoubleFunction<Snapshot> bytes;

        Amount(String name, String description, ToDoubleFunction<Snapshot> bytes) {
            this.meter = "kernelalloc.memory." + name;
            this.description = description;
            this.bytes = bytes;
        }
    }

    private record Bound(MeterRegistry registry, Meter meter) {}

    private final KernelAllocator allocator;
    private final Tags tags;
    private final List<Bound> bound = new CopyOnWriteArrayList<>();

    /**
     * Creates the meters of an allocator.
     *
     * @param allocator the allocator; its tag is the value of the meters' tag {@code allocator}
     */
    public AllocatorMetrics(KernelAllocator allocator) {
        this(allocator, Tags.empty());
    }

    /**
     * Creates the meters of an allocator, with further tags.
     *
     * @param allocator the allocator; its tag is the value of the meters' tag {@code allocator}
     * @param tags further tags of every meter, the same as those of the {@link LeakMetrics}
     */
    public AllocatorMetrics(KernelAllocator allocator, Iterable<Tag> tags) {
        this.allocator = Objects.requireNonNull(allocator, "allocator");
        this.tags = Tags.of(tags);
    }

    /**
     * Adds the meters to a registry.
     *
     * @throws IllegalStateException when the registry has those of an allocator with the same tag
     */
    @Override
    public void bindTo(MeterRegistry registry) {
        String name = allocator.stats().tag();
        Tags all = tags.and("allocator", name);
        if (registry.find(USED).tags(all).gauge() != null) {
            throw new IllegalStateException(
                    "meters exist: allocator="
                            + name
                            + "; give each allocator a tag of its own, add tags, or close the"
                            + " metrics of the former one");
        }
        Snapshots snapshots = new Snapshots(allocator, registry.config().clock());
        for (State state : State.values()) {
            Tags ofState = all.and(state.tag());
            keep(
                    registry,
                    gauge(USED, snapshots, s -> state.bytes(s.stats()))
                            .description("Memory by state; the sum is the capacity")
                            .baseUnit(BaseUnits.BYTES)
                            .tags(ofState)
                            .register(registry));
            keep(
                    registry,
                    gauge("kernelalloc.blocks", snapshots, s -> state.blocks(s.stats()))
                            .description("Blocks by state")
                            .baseUnit("blocks")
                            .tags(ofState)
                            .register(registry));
        }
        for (Amount amount : Amount.values()) {
            keep(
                    registry,
                    gauge(amount.meter, snapshots, amount.bytes)
                            .description(amount.description)
                            .baseUnit(BaseUnits.BYTES)
                            .tags(all)
                            .register(registry));
        }
        for (AllocationException.Reason reason : AllocationException.Reason.values()) {
            Tag ofReason = Tag.of("reason", reason.name().toLowerCase(Locale.ROOT));
            keep(
                    registry,
                    FunctionCounter.builder(
                                    "kernelalloc.refusals", snapshots, s -> s.refusals(reason))
                            .description("Requests that were refused")
                            .tags(all.and(ofReason))
                            .register(registry));
        }
        LeakMetrics.begin(registry, all).forEach(meter -> keep(registry, meter));
    }

    private static Gauge.Builder<Snapshots> gauge(
            String name, Snapshots snapshots, ToDoubleFunction<Snapshot> value) {
        return Gauge.builder(name, snapshots, s -> s.read(value))
                .strongReference(true); // of the snapshots, which nothing else refers to
    }

    private void keep(MeterRegistry registry, Meter meter) {
        bound.add(new Bound(registry, meter));
    }

    /** Removes the meters from all registries. */
    @Override
    public void close() {
        bound.forEach(one -> one.registry.remove(one.meter));
        bound.clear();
    }
}
