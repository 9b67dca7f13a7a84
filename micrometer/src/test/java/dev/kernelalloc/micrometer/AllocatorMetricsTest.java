package dev.kernelalloc.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;

import io.micrometer.core.instrument.MockClock;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.search.RequiredSearch;
import io.micrometer.core.instrument.simple.SimpleConfig;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

class AllocatorMetricsTest {

    private final MockClock clock = new MockClock();
    private final SimpleMeterRegistry registry =
            new SimpleMeterRegistry(SimpleConfig.DEFAULT, clock);

    @Test
    @DisplayName("The gauges are the statistics, by state, and their sum is the capacity")
    void gauges_ofAllocator_areItsStatistics() {
        try (PoolAllocator pool = PoolAllocator.builder().tag("orders").build()) {
            new AllocatorMetrics(pool).bindTo(registry);
            List<MemorySegment> blocks =
                    List.of(pool.allocate(64, 8), pool.allocate(4096, 8), pool.allocate(64, 8));
            AllocatorStats stats = pool.stats();
            clock.add(Duration.ofSeconds(1));
            assertThat(used("live")).isEqualTo(stats.liveBytes());
            assertThat(used("cached")).isEqualTo(stats.cachedBytes());
            assertThat(used("remote")).isEqualTo(stats.remoteBytes());
            assertThat(used("free")).isEqualTo(stats.freeBytes());
            assertThat(used("quarantined")).isEqualTo(stats.quarantinedBytes());
            assertThat(
                            registry.get("kernelalloc.memory.used").gauges().stream()
                                    .mapToDouble(g -> g.value())
                                    .sum())
                    .isEqualTo(stats.capacityBytes());
            assertThat(of("kernelalloc.blocks").tag("state", "live").gauge().value()).isEqualTo(3);
            assertThat(gauge("kernelalloc.memory.peak")).isEqualTo(stats.peakBytes());
            assertThat(gauge("kernelalloc.memory.reserved")).isEqualTo(stats.reservedBytes());
            assertThat(gauge("kernelalloc.memory.charged")).isEqualTo(pool.charged());
            assertThat(
                            of("kernelalloc.memory.used")
                                    .tag("state", "live")
                                    .gauge()
                                    .getId()
                                    .getBaseUnit())
                    .isEqualTo("bytes");
            blocks.forEach(pool::free);
        }
    }

    @Test
    @DisplayName("Without a limit the limit is no number; one that is set later is shown")
    void limit_absent_isNaN() {
        try (PoolAllocator pool = PoolAllocator.builder().tag("orders").build()) {
            new AllocatorMetrics(pool).bindTo(registry);
            assertThat(gauge("kernelalloc.memory.limit")).isNaN();
            pool.limit(128 << 20);
            clock.add(Duration.ofSeconds(1));
            assertThat(gauge("kernelalloc.memory.limit")).isEqualTo(128 << 20);
        }
    }

    @Test
    @DisplayName("The meters of one scrape share a snapshot; a second later there is a new one")
    void snapshot_withinASecond_isShared() {
        try (PoolAllocator pool = PoolAllocator.builder().tag("orders").build()) {
            new AllocatorMetrics(pool).bindTo(registry);
            assertThat(used("live")).isZero();
            MemorySegment block = pool.allocate(64, 8);
            clock.add(Duration.ofMillis(999));
            assertThat(used("live")).isZero();
            assertThat(of("kernelalloc.blocks").tag("state", "live").gauge().value()).isZero();
            clock.add(Duration.ofMillis(1));
            assertThat(of("kernelalloc.blocks").tag("state", "live").gauge().value()).isEqualTo(1);
            pool.free(block);
            assertThat(used("live")).isPositive();
        }
    }

    @Test
    @DisplayName("Refused requests are counted by reason")
    void refusals_byLimit_areCounted() {
        try (PoolAllocator pool = PoolAllocator.builder().tag("orders").limit(1 << 20).build()) {
            new AllocatorMetrics(pool).bindTo(registry);
            assertThatThrownBy(() -> pool.allocate(64 << 20, 8))
                    .isInstanceOf(AllocationException.class);
            assertThat(pool.tryAllocate(64 << 20, 8)).isEmpty();
            clock.add(Duration.ofSeconds(1));
            assertThat(refusals("limit")).isEqualTo(2);
            assertThat(refusals("out_of_memory")).isZero();
        }
    }

    @Test
    @DisplayName("An allocator of physical memory has the same meters")
    void gauges_ofPhysicalAllocator_areItsStatistics() {
        try (PhysicalAllocator physical = PhysicalAllocator.builder().tag("dma").build()) {
            new AllocatorMetrics(physical).bindTo(registry);
            MemorySegment block = physical.allocate(64, 64);
            clock.add(Duration.ofSeconds(1));
            double live =
                    registry.get("kernelalloc.memory.used")
                            .tags("allocator", "dma", "state", "live")
                            .gauge()
                            .value();
            assertThat(live).isEqualTo(physical.stats().liveBytes()).isPositive();
            physical.free(block);
        }
    }

    @Test
    @DisplayName("Two allocators of one tag would share meters: the second is refused")
    void bindTo_sameTag_isRefused() {
        try (PoolAllocator first = PoolAllocator.builder().tag("orders").build();
                PoolAllocator second = PoolAllocator.builder().tag("orders").build()) {
            Tags one = Tags.of("shard", "1");
            Tags two = Tags.of("shard", "2");
            AllocatorMetrics metrics = new AllocatorMetrics(first, one);
            metrics.bindTo(registry);
            assertThatIllegalStateException()
                    .isThrownBy(() -> new AllocatorMetrics(second, one).bindTo(registry))
                    .withMessageContaining("allocator=orders");
            new AllocatorMetrics(second, two).bindTo(registry);
            metrics.close();
            assertThat(registry.find("kernelalloc.refusals").tags(two).functionCounter())
                    .isNotNull();
            assertThat(registry.getMeters())
                    .allSatisfy(meter -> assertThat(meter.getId().getTag("shard")).isEqualTo("2"));
            new AllocatorMetrics(second, one).bindTo(registry);
        }
    }

    @Test
    @DisplayName("Meters are read while the allocator is closed, and after it")
    void scrape_whileTheAllocatorCloses_readsNumbers() throws Exception {
        for (int round = 0; round < 50; round++) {
            PoolAllocator pool = PoolAllocator.builder().tag("orders").limit(1 << 20).build();
            pool.free(pool.allocate(64, 8));
            try (AllocatorMetrics metrics = new AllocatorMetrics(pool);
                    var scraper = Executors.newSingleThreadExecutor()) {
                metrics.bindTo(registry);
                CountDownLatch started = new CountDownLatch(1);
                var scrapes =
                        scraper.submit(
                                () -> {
                                    for (int i = 0; i < 100; i++) {
                                        clock.add(Duration.ofSeconds(1));
                                        assertThat(used("live")).isZero();
                                        assertThat(gauge("kernelalloc.memory.limit"))
                                                .isEqualTo(1 << 20);
                                        assertThat(refusals("limit")).isZero();
                                        started.countDown();
                                    }
                                });
                started.await();
                pool.close();
                scrapes.get();
                clock.add(Duration.ofSeconds(1));
                assertThat(gauge("kernelalloc.memory.limit")).isEqualTo(1 << 20);
                assertThat(gauge("kernelalloc.memory.charged")).isZero();
                assertThat(refusals("limit")).isZero();
            }
        }
    }

    @Test
    @DisplayName("A registry does not keep an allocator: once it is gone its gauges are NaN")
    void gauges_ofUnreachableAllocator_areNaN() throws InterruptedException {
        CountDownLatch found = new CountDownLatch(1);
        bindAndDrop(found);
        for (int i = 0; i < 600 && !Double.isNaN(used("live")); i++) {
            System.gc();
            found.await(100, TimeUnit.MILLISECONDS);
        }
        assertThat(used("live")).isNaN();
        assertThat(refusals("limit")).isEqualTo(1);
    }

    private void bindAndDrop(CountDownLatch found) {
        KernelAllocator pool =
                PoolAllocator.builder()
                        .tag("orders")
                        .limit(1 << 20)
                        .onLeak(_ -> found.countDown())
                        .build();
        new AllocatorMetrics(pool).bindTo(registry);
        assertThat(pool.tryAllocate(64 << 20, 8)).isEmpty();
        clock.add(Duration.ofSeconds(1));
        assertThat(used("live")).isZero();
    }

    @Test
    @DisplayName("A leak is counted with its kind and bytes, from zero")
    void leaks_found_areCounted() throws InterruptedException {
        CountDownLatch found = new CountDownLatch(1);
        PoolAllocator pool =
                PoolAllocator.builder()
                        .tag("orders")
                        .tracking(Tracking.ALL)
                        .onLeak(new LeakMetrics(registry).andThen(_ -> found.countDown()))
                        .build();
        new AllocatorMetrics(pool).bindTo(registry);
        assertThat(leaks("kernelalloc.leaks", "container")).isZero();
        NativeString.of(pool, "never closed");
        for (int i = 0; i < 600 && found.getCount() != 0; i++) {
            System.gc();
            found.await(100, TimeUnit.MILLISECONDS);
        }
        assertThat(leaks("kernelalloc.leaks", "container")).isEqualTo(1);
        assertThat(leaks("kernelalloc.leaked", "container")).isPositive();
        assertThat(leaks("kernelalloc.leaks", "arena")).isZero();
        assertThatIllegalStateException().isThrownBy(pool::close); // the string is lost for good
    }

    private double used(String state) {
        return of("kernelalloc.memory.used").tag("state", state).gauge().value();
    }

    private double gauge(String name) {
        return of(name).gauge().value();
    }

    private double refusals(String reason) {
        return of("kernelalloc.refusals").tag("reason", reason).functionCounter().count();
    }

    private double leaks(String name, String kind) {
        return of(name).tag("kind", kind).counter().count();
    }

    private RequiredSearch of(String name) {
        return registry.get(name).tag("allocator", "orders");
    }
}
