package dev.kernelalloc.micrometer;

import dev.kernelalloc.LeakReport;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.BaseUnits;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Counts leaks: a listener for {@code onLeak} of allocator builders, such as {@code
 * PoolAllocator.builder().onLeak(new LeakMetrics(registry))}. The counters are {@code
 * kernelalloc.leaks} and {@code kernelalloc.leaked}, in bytes, with the tags {@code allocator} and
 * {@code kind}. One listener may serve any number of allocators. Safe for use by any thread.
 *
 * <p>With the default level of tracking one owner in 1,024 is tracked, so one in 1,024 is counted.
 */
public final class LeakMetrics implements Consumer<LeakReport> {

    private final MeterRegistry registry;
    private final Tags tags;

    /**
     * Creates a listener.
     *
     * @param registry the registry of the counters
     */
    public LeakMetrics(MeterRegistry registry) {
        this(registry, Tags.empty());
    }

    /**
     * Creates a listener whose counters have further tags.
     *
     * @param registry the registry of the counters
     * @param tags further tags, the same as those of {@link AllocatorMetrics}
     */
    public LeakMetrics(MeterRegistry registry, Iterable<Tag> tags) {
        this.registry = Objects.requireNonNull(registry, "registry");
        this.tags = Tags.of(tags);
    }

    @Override
    public void accept(LeakReport report) {
        Tags all = tags.and("allocator", report.tag());
        leaks(registry, all, report.kind()).increment();
        leaked(registry, all, report.kind()).increment(report.bytes());
    }

    /** Registers the counters of an allocator at 0, so that the first leak is an increase. */
    static List<Meter> begin(MeterRegistry registry, Tags all) {
        return Stream.of(LeakReport.Kind.values())
                .<Meter>flatMap(
                        kind -> Stream.of(leaks(registry, all, kind), leaked(registry, all, kind)))
                .toList();
    }

    private static Counter leaks(MeterRegistry registry, Tags all, LeakReport.Kind kind) {
        return Counter.builder("kernelalloc.leaks")
                .description("Owners that were dropped without being closed")
                .tags(all.and(tag(kind)))
                .register(registry);
    }

    private static Counter leaked(MeterRegistry registry, Tags all, LeakReport.Kind kind) {
        return Counter.builder("kernelalloc.leaked")
                .description("Memory of owners that were dropped without being closed")
                .baseUnit(BaseUnits.BYTES)
                .tags(all.and(tag(kind)))
                .register(registry);
    }

    private static Tag tag(LeakReport.Kind kind) {
        return Tag.of("kind", kind.name().toLowerCase(Locale.ROOT));
    }
}
