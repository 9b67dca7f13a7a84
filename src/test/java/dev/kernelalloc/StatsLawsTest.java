package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocatorStats.Amount;
import dev.kernelalloc.AllocatorStats.SizeClass;
import dev.kernelalloc.testing.Workers;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.lifecycle.AfterContainer;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * At every quiet point of random histories by several threads, the statistics say what a count of
 * the blocks by hand says, and the places add up.
 */
class StatsLawsTest {

    /**
     * What one thread does before the next quiet point.
     *
     * @param worker which thread
     * @param bytes of blocks to allocate
     * @param frees how many to free, whoever has allocated them
     */
    record Turn(int worker, List<Long> bytes, int frees, boolean trims) {}

    private static final String HARDENED = "hardened";
    private static final long ALIGNMENT = 8;
    private static final Workers WORKERS = new Workers();

    @AfterContainer
    static void endWorkers() {
        WORKERS.close();
    }

    @Property(edgeCases = EdgeCasesMode.NONE)
    void thePoolIsCountedExactly(@ForAll("rounds") List<List<Turn>> rounds) {
        replay(PoolAllocator.create(), rounds);
    }

    @Property(edgeCases = EdgeCasesMode.NONE)
    void aPoolWithoutCachesIsCountedExactly(@ForAll("rounds") List<List<Turn>> rounds) {
        replay(PoolAllocator.builder().cacheBytes(0, 0).build(), rounds);
    }

    @Property(edgeCases = EdgeCasesMode.NONE)
    void aHardenedPoolIsCountedExactly(@ForAll("rounds") List<List<Turn>> rounds) {
        replay(PoolAllocator.builder().tag(HARDENED).hardened(true).build(), rounds);
    }

    @Property(edgeCases = EdgeCasesMode.NONE)
    void theSystemHeapIsCountedExactly(@ForAll("rounds") List<List<Turn>> rounds) {
        replay(PoolAllocator.systemHeap(), rounds);
    }

    @Property(edgeCases = EdgeCasesMode.NONE, tries = 20)
    void physicalMemoryIsCountedExactly(@ForAll("rounds") List<List<Turn>> rounds) {
        replay(PhysicalAllocator.create(), rounds);
    }

    private static void replay(KernelAllocator allocator, List<List<Turn>> rounds) {
        AllocatorStats before = allocator.stats();
        Queue<MemorySegment> alive = new ConcurrentLinkedQueue<>();
        long mostSeen = 0;
        for (List<Turn> round : rounds) {
            List<List<Runnable>> each = Workers.nothing();
            round.forEach(turn -> each.get(turn.worker).add(() -> take(allocator, turn, alive)));
            WORKERS.runTogether(each);
            AllocatorStats now = allocator.stats();
            requireSums(now);
            requireLive(allocator, before, now, List.copyOf(alive));
            mostSeen = Math.max(mostSeen, now.capacityBytes());
            assertThat(now.peakBytes()).isGreaterThanOrEqualTo(mostSeen);
        }
        alive.forEach(allocator::free);
        requireSums(allocator.stats());
        assertThat(allocator.stats().live()).isEqualTo(before.live());
        if (allocator != PoolAllocator.systemHeap()) {
            allocator.close();
            // What stands in the caches of threads that are alive goes with their next calls.
            for (int worker = 0; worker < Workers.COUNT; worker++) {
                WORKERS.run(
                        worker,
                        () ->
                                assertThatIllegalStateException()
                                        .isThrownBy(() -> allocator.allocate(8, 8)));
            }
        }
    }

    private static void take(KernelAllocator allocator, Turn turn, Queue<MemorySegment> alive) {
        for (long bytes : turn.bytes) { // few may be locked where the process has no rights
            allocator.tryAllocate(bytes, ALIGNMENT).ifPresent(alive::add);
        }
        for (int i = 0; i < turn.frees; i++) {
            MemorySegment block = alive.poll();
            if (block != null) {
                allocator.free(block);
            }
        }
        if (turn.trims) {
            allocator.trim();
        }
    }

    /** The sums against the classes, in blocks and in bytes; slabs of one size have one shape. */
    private static void requireSums(AllocatorStats now) {
        assertThat(
                        now.live()
                                .plus(now.cached())
                                .plus(now.remote())
                                .plus(now.free())
                                .plus(now.quarantined()))
                .isEqualTo(now.capacity());
        assertThat(now.live()).isEqualTo(sum(now, SizeClass::live).plus(now.large().live()));
        assertThat(now.free()).isEqualTo(sum(now, SizeClass::free).plus(now.large().free()));
        assertThat(now.cached()).isEqualTo(sum(now, SizeClass::cached));
        assertThat(now.remote()).isEqualTo(sum(now, SizeClass::remote));
        assertThat(now.sizeClasses())
                .allMatch(one -> one.slabs() > 0 && one.blocks() % one.slabs() == 0)
                .allMatch(one -> Math.min(one.live(), one.free()) >= 0)
                .allMatch(one -> Math.min(one.cached(), one.remote()) >= 0);
        assertThat(now.reservedBytes()).isGreaterThanOrEqualTo(now.capacityBytes());
    }

    private static Amount sum(AllocatorStats now, ToLongFunction<SizeClass> place) {
        return now.sizeClasses().stream()
                .map(
                        one ->
                                new Amount(
                                        place.applyAsLong(one),
                                        place.applyAsLong(one) * one.blockBytes()))
                .reduce(Amount.NONE, Amount::plus);
    }

    private static void requireLive(
            KernelAllocator allocator,
            AllocatorStats before,
            AllocatorStats now,
            List<MemorySegment> alive) {
        assertThat(now.liveBlocks() - before.liveBlocks()).isEqualTo(alive.size());
        long usable = alive.stream().mapToLong(allocator::usableSize).sum();
        if (isHardened(allocator)) { // of which the bytes asked for may be used, before a canary
            long canaries = (long) alive.size() * Long.BYTES;
            assertThat(now.liveBytes()).isGreaterThanOrEqualTo(usable + canaries);
            return;
        }
        assertThat(now.liveBytes() - before.liveBytes()).isEqualTo(usable);
        if (allocator == PoolAllocator.systemHeap()) {
            assertThat(now.sizeClasses()).isEmpty();
            return;
        }
        Map<Long, Long> bySize =
                alive.stream()
                        .collect(
                                Collectors.groupingBy(
                                        allocator::usableSize, Collectors.counting()));
        now.sizeClasses()
                .forEach(
                        one ->
                                assertThat(one.live())
                                        .as("blocks of %d bytes", one.blockBytes())
                                        .isEqualTo(bySize.getOrDefault(one.blockBytes(), 0L)));
    }

    private static boolean isHardened(KernelAllocator allocator) {
        return allocator.stats().tag().equals(HARDENED);
    }

    @Provide
    Arbitrary<List<List<Turn>>> rounds() {
        Arbitrary<Long> bytes =
                Arbitraries.frequencyOf(
                        Tuple.of(20, Arbitraries.longs().between(0, 256)),
                        Tuple.of(8, Arbitraries.longs().between(257, 40_000)),
                        Tuple.of(1, Arbitraries.longs().between(1 << 20, 2 << 20)));
        Arbitrary<Turn> turn =
                Combinators.combine(
                                Arbitraries.integers().between(0, Workers.COUNT - 1),
                                bytes.list().ofMaxSize(80),
                                Arbitraries.integers().between(0, 90),
                                Arbitraries.integers().between(0, 9).map(chance -> chance == 0))
                        .as(Turn::new);
        return turn.list().ofMinSize(1).ofMaxSize(5).list().ofMinSize(1).ofMaxSize(6);
    }
}
