package dev.kernelalloc.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.Atomic;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Workers;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.invoke.MethodHandles;
import java.util.ConcurrentModificationException;
import java.util.List;

class SharedMapTest {

    interface Counter {
        long count();

        @Atomic("count")
        long getAndAddCount(long delta);
    }

    private static final StructType<Counter> COUNTER =
            StructType.of(MethodHandles.lookup(), Counter.class);
    private static final int KEYS = 100;

    private static SharedMap<Counter> counters(PoolAllocator pool) {
        NativeMap<Counter> map = NativeMap.create(pool, COUNTER);
        for (long key = 0; key < KEYS; key++) {
            map.getOrAdd(key * 1000);
        }
        return map.share();
    }

    @Test
    @DisplayName("Every thread reads and writes values through leases")
    void lease_ofManyThreads_reachesTheSameValues() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            SharedMap<Counter> shared = counters(pool);
            Runnable count =
                    () -> {
                        try (MapLease<Counter> lease = shared.lease()) {
                            lease.keys().forEach(key -> lease.get(key).getAndAddCount(key));
                        }
                    };
            List<List<Runnable>> each = Workers.nothing();
            each.forEach(work -> work.add(count));
            try (Workers workers = new Workers()) {
                workers.runTogether(each);
            }
            try (NativeMap<Counter> map = shared.attach()) {
                map.forEach(
                        (key, counter) ->
                                assertThat(counter.count()).isEqualTo(Workers.COUNT * key));
                assertThat(map.size()).isEqualTo(KEYS);
                map.getOrAdd(-1);
                map.table.checkInvariants(KEYS + 1);
            }
        }
    }

    @Test
    @DisplayName("The memory is freed when the last lease ends, and a view ends with its lease")
    void close_leaseOutstanding_keepsTheMemoryUntilItEnds() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            SharedMap<Counter> shared = counters(pool);
            MapLease<Counter> lease = shared.lease();
            Counter counter = lease.get(1000);
            shared.close();
            assertThatIllegalStateException().isThrownBy(shared::lease);
            assertThatIllegalStateException().isThrownBy(shared::close);
            counter.getAndAddCount(3);
            assertThat(lease.get(1000).count()).isEqualTo(3);
            assertThat(pool.stats().liveBlocks()).isEqualTo(1);
            lease.close();
            assertThat(pool.stats().liveBlocks()).isZero();
            assertThatIllegalStateException().isThrownBy(counter::count);
            assertThatIllegalStateException().isThrownBy(() -> lease.get(1000));
            assertThatIllegalStateException().isThrownBy(lease::close);
        }
    }

    @Test
    @SuppressWarnings("try") // the lease is closed where that is refused
    @DisplayName("A map with leases is not attached; a lease belongs to its thread")
    void attach_leaseOutstanding_isRefused() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            SharedMap<Counter> shared = counters(pool);
            try (MapLease<Counter> lease = shared.lease()) {
                assertThatIllegalStateException()
                        .isThrownBy(shared::attach)
                        .withMessageContaining("1 leases are out");
                try (Workers workers = new Workers()) {
                    workers.run(
                            Workers.MORTAL,
                            () ->
                                    assertThatExceptionOfType(WrongThreadException.class)
                                            .isThrownBy(() -> lease.get(0)));
                }
                assertThatExceptionOfType(ConcurrentModificationException.class)
                        .isThrownBy(() -> lease.forEach((_, _) -> lease.close()));
                assertThat(shared.toString()).isEqualTo("SharedMap[100 × Counter, 1 leases]");
                assertThat(lease.toString()).startsWith("MapLease[100 × Counter, at 0x");
            }
            shared.close();
        }
    }
}
