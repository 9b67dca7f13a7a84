package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Pressure;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.heap.CountedChunks;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.JavaHeap;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

import javax.management.JMException;

/**
 * A limit of a pool and of its children: what it counts, whom it refuses, and what comes before.
 */
class LimitsTest {

    private static final long KIB = 1 << 10;
    private static final long MIB = 1 << 20;

    private final CountedChunks source = new CountedChunks(new SystemChunks(Platform.current()));

    private PoolAllocator pool(String tag, long limit) {
        return PackageAccess.build(PoolAllocator.builder().tag(tag).limit(limit), source);
    }

    /** Until it is refused. */
    private static List<MemorySegment> fill(KernelAllocator allocator, long bytes) {
        List<MemorySegment> blocks = new ArrayList<>();
        while (true) {
            try {
                blocks.add(allocator.allocate(bytes, 8));
            } catch (AllocationException e) {
                assertThat(e.reason()).as(e.getMessage()).isEqualTo(Reason.LIMIT);
                return blocks;
            }
        }
    }

    // ---- one allocator ------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aPoolTakesItsLimitAndNotAByteMore(boolean hardened) {
        try (PoolAllocator pool =
                PackageAccess.build(
                        PoolAllocator.builder().hardened(hardened).limit(8 * MIB), source)) {
            List<MemorySegment> blocks = fill(pool, 1000);
            assertThat(blocks.size() * 1000L).isGreaterThan(7 * MIB);
            assertThat(source.mostOut()).isEqualTo(8 * MIB);
            assertThat(pool.charged()).isEqualTo(source.bytesOut());
            assertThat(pool.peakCharged()).isEqualTo(source.mostOut());
            blocks.forEach(pool::free);
        }
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void anExceptionNamesTheBudgetItsNumbersAndWhatToDo() {
        try (PoolAllocator server = pool("server", 4 * MIB);
                PoolAllocator parser = server.child("parser", 1 * MIB)) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> parser.allocate(20 * MIB, 8))
                    .withMessage(
                            "allocator 'parser' could not provide 20971520 bytes aligned to 8:"
                                + " budget 'parser' refuses 20971520 bytes, as 0 of its 1048576 are"
                                + " taken ('parser': 0 of 1048576, in 'server': 0 of 4194304): free"
                                + " blocks or close allocators within it, or raise its limit")
                    .returns(Reason.LIMIT, AllocationException::reason);
            assertThat(parser.tryAllocate(20 * MIB, 8)).isEmpty();
        }
    }

    /** The blocks of a size are cut together, up to 1 MiB of them: fewer where that is too much. */
    @ParameterizedTest
    @ValueSource(longs = {1, 1000, 64 << 10, 100_000, 1 << 20})
    void aLimitThatABlockFitsInServesIt(long bytes) {
        long granules = Math.ceilDiv(bytes, 64 * KIB) * 64 * KIB;
        try (PoolAllocator pool = pool("small", granules + granules / 8)) {
            MemorySegment block = pool.allocate(bytes, 8);
            block.fill((byte) 1);
            pool.free(block);
        }
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void aLimitOfNothingRefusesEverything() {
        try (PoolAllocator pool = pool("nothing", 0)) {
            assertThat(pool.tryAllocate(1, 1)).isEmpty();
            pool.limit(64 * KIB);
            pool.free(pool.allocate(1, 1));
        }
    }

    @Test
    void aLimitCanBeRaisedAndLoweredAtRunTime() {
        try (PoolAllocator pool = pool("changing", 1 * MIB)) {
            List<MemorySegment> blocks = fill(pool, 64 * KIB);
            pool.limit(2 * MIB);
            assertThat(pool.limit()).isEqualTo(2 * MIB);
            blocks.addAll(fill(pool, 64 * KIB));
            assertThat(pool.charged()).isEqualTo(2 * MIB);
            pool.limit(1 * MIB);
            assertThat(fill(pool, 64 * KIB)).isEmpty();
            blocks.forEach(block -> block.fill((byte) 1));
            blocks.forEach(pool::free);
            pool.trim();
            assertThat(pool.charged()).isZero();
            fill(pool, 64 * KIB).forEach(pool::free);
        }
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void aBlockOfTheSystemThatGrowsIsChargedForWhatItGrows() {
        StructType<?> bytes = StructType.of(ValueLayout.JAVA_BYTE);
        try (PoolAllocator pool = pool("growing", 64 * MIB)) {
            try (NativeVec<?> vec = NativeVec.withCapacity(pool, bytes, 20 * MIB)) {
                assertThat(pool.charged()).isEqualTo(source.bytesOut());
                vec.reserve(40 * MIB);
                assertThat(pool.charged()).isEqualTo(source.bytesOut());
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(() -> vec.reserve(80 * MIB));
                assertThat(vec.capacity()).isGreaterThanOrEqualTo(40 * MIB);
                assertThat(pool.charged()).isEqualTo(source.bytesOut()).isLessThan(64 * MIB);
            }
        }
        assertThat(source.bytesOut()).isZero();
        assertThat(source.mostOut()).isLessThanOrEqualTo(64 * MIB);
    }

    @Test
    @DisplayName("The ranges of a child begin small, also where nothing is limited")
    void child_withoutALimit_beginsWithASmallRange() {
        try (PoolAllocator parent = pool("parent", Long.MAX_VALUE);
                PoolAllocator child = parent.child("child", Long.MAX_VALUE)) {
            child.free(child.allocate(100, 8));
            assertThat(child.charged()).isEqualTo(1 * MIB).isEqualTo(source.bytesOut());
        }
    }

    @Test
    @DisplayName("A child that is opened, used for twenty blocks and closed makes few Java objects")
    void child_openedUsedAndClosed_allocatesLittleOfTheJavaHeap() throws Exception {
        String output = ChildJvm.onClassPath().withNativeAccess().outputOf(ChildPerQuery.class);
        assertThat(Long.parseLong(output.strip())).isBetween(1L, 16L << 10);
    }

    static final class ChildPerQuery {
        private ChildPerQuery() {}

        static void main() throws JMException {
            try (PoolAllocator parent = PoolAllocator.builder().limit(64 * MIB).build()) {
                query(parent); // loads what is loaded once
                IO.println(leastBytes(() -> query(parent)) - leastBytes(() -> {}));
            }
        }

        private static long leastBytes(Runnable work) throws JMException {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 100; i++) {
                long before = JavaHeap.allocatedBytes();
                work.run();
                least = Math.min(least, JavaHeap.allocatedBytes() - before);
            }
            return least;
        }

        private static void query(PoolAllocator parent) {
            try (PoolAllocator child = parent.child("query", 64 * MIB)) {
                for (int i = 0; i < 20; i++) {
                    child.free(child.allocate(64, 8));
                }
            }
        }
    }

    @Test
    @DisplayName(
            "A request that no limit allows costs nobody anything: what is kept stays as it is")
    void refusal_ofMoreThanTheLimit_givesNothingBack() {
        try (PoolAllocator parent = pool("parent", 8 * MIB);
                PoolAllocator child = parent.child("child", 4 * MIB)) {
            child.free(child.allocate(100, 8));
            AllocatorStats before = child.stats();
            assertThat(before.capacity().blocks()).isPositive();
            assertThat(child.tryAllocate(4 * MIB + 1, 8)).isEmpty();
            assertThat(child.tryAllocate(20 * MIB, 8)).isEmpty();
            assertThat(child.stats().capacity()).isEqualTo(before.capacity());
        }
    }

    @Test
    void aNegativeLimitIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PoolAllocator.builder().limit(-1))
                .withMessage("limit=-1 must not be negative");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PhysicalAllocator.builder().limit(-1));
        try (PoolAllocator pool = pool("tested", 1)) {
            assertThatIllegalArgumentException().isThrownBy(() -> pool.limit(-1));
            assertThatIllegalArgumentException().isThrownBy(() -> pool.child("child", -1));
            assertThat(pool.limit()).isEqualTo(1);
        }
    }

    @Test
    void theSystemHeapHasNoLimitAndNoChildren() {
        PoolAllocator heap = PoolAllocator.systemHeap();
        assertThat(heap.limit()).isEqualTo(Long.MAX_VALUE);
        assertThat(heap.charged()).isZero();
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(() -> heap.limit(1));
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(() -> heap.child("child", 1));
    }

    // ---- children -----------------------------------------------------------------------------

    @Test
    void whatChildrenTakeCountsAgainstTheParent() {
        try (PoolAllocator parent = pool("parent", 6 * MIB);
                PoolAllocator first = parent.child("first", 4 * MIB);
                PoolAllocator second = parent.child("second", 4 * MIB)) {
            List<MemorySegment> ofFirst = fill(first, 1000);
            List<MemorySegment> ofSecond = fill(second, 1000);
            assertThat(first.charged()).isEqualTo(4 * MIB);
            assertThat(second.charged()).isEqualTo(2 * MIB);
            assertThat(parent.charged()).isEqualTo(6 * MIB).isEqualTo(source.bytesOut());
            assertThat(source.mostOut()).isEqualTo(6 * MIB);
            ofFirst.forEach(first::free);
            first.trim();
            ofSecond.addAll(fill(second, 1000));
            assertThat(second.charged()).isEqualTo(4 * MIB);
            ofSecond.forEach(second::free);
        }
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void whatASiblingKeepsIdleIsGivenBackBeforeARefusal() {
        try (PoolAllocator parent = pool("parent", 4 * MIB);
                PoolAllocator idle = parent.child("idle", 4 * MIB);
                PoolAllocator busy = parent.child("busy", 4 * MIB)) {
            fill(idle, 1000).forEach(idle::free);
            assertThat(parent.charged()).isPositive();
            List<MemorySegment> blocks = fill(busy, 1000);
            assertThat(busy.charged()).isEqualTo(4 * MIB);
            assertThat(idle.charged()).isZero();
            blocks.forEach(busy::free);
        }
    }

    @Test
    void whatDeadThreadsLeftIsGivenBackBeforeARefusal() throws Exception {
        try (PoolAllocator limited = pool("limited", 4 * MIB)) {
            for (int i = 0; i < 3; i++) {
                Thread thread = new Thread(() -> fill(limited, 1000).forEach(limited::free));
                thread.start();
                thread.join();
            }
            AllocatorStats idle = limited.stats();
            assertThat(idle.liveBlocks()).isZero();
            assertThat(idle.capacity().bytes()).isPositive();
            assertThat(limited.charged()).isPositive();
            // Of another size: nothing of what is kept serves as it is.
            List<MemorySegment> blocks = fill(limited, 100_000);
            assertThat(limited.charged()).isEqualTo(4 * MIB);
            assertThat(blocks).hasSizeGreaterThan(25); // of 41, in slabs of one block or eight
            blocks.forEach(limited::free);
        }
    }

    @Test
    void siblingsThatUseLittleLeaveMostToTheOthers() {
        try (PoolAllocator parent = pool("parent", 64 * MIB)) {
            List<PoolAllocator> children = new ArrayList<>();
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                PoolAllocator child = parent.child("child " + i, 32 * MIB);
                children.add(child);
                blocks.add(child.allocate(100, 8));
            }
            for (int i = 0; i < children.size(); i++) {
                children.get(i).free(blocks.get(i));
                children.get(i).close();
            }
        }
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void aChildHasTheSettingsOfItsParentAndItsOwnTag() {
        try (PoolAllocator parent =
                        PackageAccess.build(
                                PoolAllocator.builder().hardened(true).tracking(Tracking.ALL),
                                source);
                PoolAllocator child = parent.child("child", 1 * MIB);
                PoolAllocator grandchild = child.child("grandchild", Long.MAX_VALUE)) {
            assertThat(grandchild.tracking()).isEqualTo(Tracking.ALL);
            assertThat(grandchild.stats().tag()).isEqualTo("grandchild");
            MemorySegment block = grandchild.allocate(8, 8);
            assertThat(parent.charged()).isEqualTo(grandchild.charged()).isPositive();
            assertThatIllegalArgumentException().isThrownBy(() -> child.free(block));
            grandchild.free(block);
            assertThatIllegalArgumentException().isThrownBy(() -> grandchild.free(block));
        }
    }

    @Test
    void aParentIsClosedAfterItsChildren() {
        PoolAllocator parent = pool("parent", 4 * MIB);
        PoolAllocator child = parent.child("first", 1 * MIB);
        assertThatIllegalStateException()
                .isThrownBy(parent::close)
                .withMessageContaining("'parent' has children that are not closed: 'first'");
        parent.free(parent.allocate(8, 8));
        child.close();
        parent.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> parent.child("late", 1))
                .withMessage("allocator 'parent' is closed");
        assertThatIllegalStateException().isThrownBy(parent::close);
        assertThat(parent.charged()).isZero();
    }

    @Test
    void aClosedChildIsChargedForItsLiveBlocksUntilTheyAreFreed() {
        PoolAllocator parent = pool("parent", 4 * MIB);
        PoolAllocator child = parent.child("child", 4 * MIB);
        MemorySegment block = child.allocate(8, 8);
        assertThatExceptionOfType(LiveBlocksException.class).isThrownBy(child::close);
        assertThat(parent.charged()).isPositive().isEqualTo(child.charged());
        parent.close();
        child.free(block);
        assertThat(parent.charged()).isZero();
        assertThat(source.bytesOut()).isZero();
    }

    // ---- pressure -----------------------------------------------------------------------------

    @Test
    void aListenerMayRaiseTheLimitAndTheRequestIsServed() {
        List<Pressure> told = new ArrayList<>();
        PoolAllocator[] parent = new PoolAllocator[1];
        parent[0] =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .tag("parent")
                                .limit(1 * MIB)
                                .onPressure(
                                        pressure -> {
                                            told.add(pressure);
                                            parent[0].limit(32 * MIB);
                                        }),
                        source);
        parent[0].free(parent[0].allocate(20 * MIB, 8));
        assertThat(told).containsExactly(new Pressure("parent", 20 * MIB, 0, 1 * MIB));
        parent[0].close();
    }

    @Test
    void aListenerMayFreeBlocksAndTheRequestIsServed() {
        List<MemorySegment> expendable = new ArrayList<>();
        PoolAllocator[] pool = new PoolAllocator[1];
        pool[0] =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .limit(4 * MIB)
                                .onPressure(
                                        _ -> {
                                            expendable.forEach(pool[0]::free);
                                            expendable.clear();
                                            pool[0].trim();
                                        }),
                        source);
        for (int i = 0; i < 200; i++) {
            expendable.add(pool[0].allocate(100_000, 8));
        }
        expendable.forEach(pool[0]::free);
        pool[0].close();
        assertThat(source.mostOut()).isLessThanOrEqualTo(4 * MIB);
    }

    @Test
    void aListenerIsToldOncePerRefusalNeverWithinItselfAndWhatItThrowsChangesNothing() {
        int[] told = {0};
        PoolAllocator[] pool = new PoolAllocator[1];
        pool[0] =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .limit(1 * MIB)
                                .onPressure(
                                        _ -> {
                                            told[0]++;
                                            pool[0].allocate(20 * MIB, 8);
                                        }),
                        source);
        assertThat(pool[0].tryAllocate(20 * MIB, 8)).isEmpty();
        assertThat(told[0]).isEqualTo(1);
        pool[0].free(pool[0].allocate(8, 8));
        assertThat(told[0]).isEqualTo(1);
        pool[0].close();
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    void theListenerOfAParentHearsOfTheLimitOfAChildToo() {
        List<String> told = new ArrayList<>();
        try (PoolAllocator parent =
                        PackageAccess.build(
                                PoolAllocator.builder()
                                        .tag("parent")
                                        .limit(1 * MIB)
                                        .onPressure(pressure -> told.add(pressure.allocator())),
                                source);
                PoolAllocator child = parent.child("child", 2 * MIB)) {
            assertThat(child.tryAllocate(20 * MIB, 8)).isEmpty();
            assertThat(told).containsExactly("child");
            told.clear();
            child.limit(Long.MAX_VALUE);
            assertThat(child.tryAllocate(20 * MIB, 8)).isEmpty();
            assertThat(told).containsExactly("parent");
        }
    }

    @Test
    void aListenerThatClosesWhatIsToGrowLeavesNothingBehind() {
        StructType<?> bytes = StructType.of(ValueLayout.JAVA_BYTE);
        for (long size : new long[] {1000, 20 * MIB}) {
            List<NativeVec<?>> growing = new ArrayList<>();
            PoolAllocator pool =
                    PackageAccess.build(
                            PoolAllocator.builder()
                                    .limit(32 * MIB)
                                    .onPressure(_ -> growing.removeFirst().close()),
                            source);
            NativeVec<?> vec = NativeVec.withCapacity(pool, bytes, size);
            growing.add(vec);
            assertThatExceptionOfType(RuntimeException.class)
                    .isThrownBy(() -> vec.reserve(64 * MIB));
            assertThat(growing).isEmpty();
            pool.close();
            assertThat(source.bytesOut()).isZero();
        }
    }

    @Test
    void aListenerThatClosesWhatIsToMoveLeavesNothingBehind() {
        StructType<?> bytes = StructType.of(ValueLayout.JAVA_BYTE);
        CountedChunks copying = source.withoutResize();
        List<NativeVec<?>> growing = new ArrayList<>();
        PoolAllocator pool =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .limit(32 * MIB)
                                .onPressure(_ -> growing.removeFirst().close()),
                        copying);
        NativeVec<?> vec = NativeVec.withCapacity(pool, bytes, 17 * MIB);
        growing.add(vec);
        assertThatIllegalStateException().isThrownBy(() -> vec.reserve(20 * MIB));
        assertThat(pool.stats().liveBlocks()).isZero();
        pool.close();
        assertThat(copying.bytesOut()).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aListenerThatFreesWhatIsReallocatedLeavesNothingBehind(boolean hardened) {
        PoolAllocator[] pool = new PoolAllocator[1];
        List<MemorySegment> moving = new ArrayList<>();
        pool[0] =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .hardened(hardened)
                                .limit(32 * MIB)
                                .onPressure(_ -> pool[0].free(moving.removeFirst())),
                        source);
        MemorySegment block = pool[0].allocate(17 * MIB, 8);
        moving.add(block);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> pool[0].reallocate(block, 20 * MIB, 8));
        assertThat(pool[0].stats().liveBlocks()).isZero();
        pool[0].close();
        assertThat(source.bytesOut()).isZero();
    }

    // ---- physical memory ----------------------------------------------------------------------

    @Test
    void aPhysicalAllocatorTakesItsLimitAndNotAPageMore() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        long[] mapped = {0, 0};
        PhysicalAllocator parent =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .tag("parent")
                                .limit(8 * MIB)
                                .onSlabMapped(
                                        slab -> {
                                            mapped[0] += slab.memory().byteSize();
                                            mapped[1] = Math.max(mapped[0], mapped[1]);
                                        })
                                .onSlabUnmapped(slab -> mapped[0] -= slab.memory().byteSize()),
                        os);
        PhysicalAllocator child = parent.child("child", 2 * MIB);
        List<MemorySegment> ofChild = fill(child, 1000);
        assertThat(child.charged()).isEqualTo(2 * MIB);
        List<MemorySegment> ofParent = fill(parent, 1000);
        assertThat(parent.charged()).isEqualTo(8 * MIB).isEqualTo(mapped[0]);
        assertThat(mapped[1]).isEqualTo(8 * MIB);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> parent.allocate(PhysicalRequest.ofBytes(4096).build()))
                .returns(Reason.LIMIT, AllocationException::reason)
                .withMessageContaining("budget 'parent' refuses");
        ofChild.forEach(child::free);
        ofParent.forEach(parent::free);
        child.close();
        parent.close();
        assertThat(parent.charged()).isZero();
        os.assertNothingLeaked();
    }

    // ---- the process --------------------------------------------------------------------------

    @Test
    void aPropertyLimitsTheSharedPool() throws Exception {
        assertThat(shared("-Ddev.kernelalloc.limit=3m")).isEqualTo("3145728");
        assertThat(shared("-Ddev.kernelalloc.limit=70000")).isEqualTo("70000");
        assertThat(shared("-Ddev.kernelalloc.limit=1G")).isEqualTo("1073741824");
        assertThat(shared("-Ddev.kernelalloc.limit=")).isEqualTo("9223372036854775807");
        assertThat(shared("-Ddev.kernelalloc.limit=much"))
                .isEqualTo(
                        "-Ddev.kernelalloc.limit=much: must be a number of bytes, or one with k, m"
                                + " or g behind it, such as 512m");
    }

    private static String shared(String flag) throws InterruptedException {
        String output =
                ChildJvm.onModulePath().withNativeAccess().with(flag).outputOf(Shared.class);
        return output.strip();
    }

    static final class Shared {
        private Shared() {}

        static void main() {
            try {
                IO.println(PoolAllocator.shared().limit());
            } catch (IllegalArgumentException e) {
                IO.println(e.getMessage());
            }
        }
    }
}
