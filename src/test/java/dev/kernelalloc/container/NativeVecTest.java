package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.CELL;
import static dev.kernelalloc.container.NativeArrayTest.LINE;
import static dev.kernelalloc.container.NativeArrayTest.NOTHING;
import static dev.kernelalloc.container.NativeArrayTest.POINT;
import static dev.kernelalloc.container.NativeArrayTest.point;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.container.NativeArrayTest.Cell;
import dev.kernelalloc.container.NativeArrayTest.Line;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.ConcurrentModificationException;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;

class NativeVecTest {

    // ---- growing ------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void aVecGrowsByHalfAtMostAndKeepsItsElements(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    try (NativeVec<Point> vec = NativeVec.create(allocator, POINT)) {
                        long before = allocator.stats().liveBlocks();
                        for (int i = 0; i < 300_000; i++) {
                            long capacity = vec.capacity();
                            vec.add(point(i));
                            if (vec.capacity() != capacity
                                    && capacity * POINT.byteSize() >= 64 << 10) {
                                assertThat(vec.capacity())
                                        .isGreaterThanOrEqualTo(capacity + capacity / 3)
                                        .isLessThanOrEqualTo(capacity + capacity / 2);
                            }
                            assertThat(vec.size()).isLessThanOrEqualTo(vec.capacity());
                        }
                        assertThat(allocator.stats().liveBlocks() - before).isEqualTo(1);
                        for (int i = 0; i < 300_000; i++) {
                            assertThat(vec.get(i).x()).isEqualTo(i);
                        }
                        vec.slice()
                                .segment()
                                .asSlice(300_000L * 8 - 1)
                                .set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void aSliceIsAddedWhollyAlsoWhereElementsWereRemovedSince(EveryAllocator allocators)
            throws Exception {
        allocators.use(
                allocator -> {
                    try (NativeVec<Point> vec = NativeVec.withCapacity(allocator, POINT, 4)) {
                        List<Point> expected = new ArrayList<>();
                        while (vec.size() < vec.capacity()) {
                            Point next = point(expected.size());
                            vec.add(next);
                            expected.add(next);
                        }
                        NativeSlice<Point> all = vec.slice();
                        vec.truncate(1);
                        vec.addAll(all);
                        expected.addFirst(point(0));
                        assertThat(vec.slice().asList()).isEqualTo(expected);
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void anArrayThatIsClosedBecomesNoVec(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    for (int length : new int[] {1, 3_000_000}) {
                        if (allocators.isPhysical() && length > 1) {
                            continue; // what may be locked is little
                        }
                        NativeArray<Point> closed = NativeArray.zeroed(allocator, POINT, length);
                        closed.close();
                        assertThatIllegalStateException().isThrownBy(() -> NativeVec.from(closed));
                    }
                });
    }

    @Test
    void anIteratorReadsAnElementWhenItIsAskedForIt() {
        try (NativeVec<Point> vec =
                NativeVec.copyOf(KernelAllocator.global(), POINT, List.of(point(1), point(2)))) {
            Iterator<Point> ofSlice = vec.slice().iterator();
            assertThat(ofSlice.hasNext()).isTrue();
            vec.set(0, point(3));
            assertThat(ofSlice.next()).isEqualTo(point(3));

            Iterator<Point> ofVec = vec.iterator();
            assertThat(ofVec.hasNext()).isTrue();
            vec.removeAt(0);
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(ofVec::next);
        }
    }

    @Test
    void aCopyOfAVecThatAPressureListenerClosesIsNotLost() {
        List<NativeVec<Point>> closable = new ArrayList<>();
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .limit(4 << 20)
                        .onPressure(
                                _ -> {
                                    closable.forEach(NativeVec::close);
                                    closable.clear();
                                })
                        .build()) {
            NativeVec<Point> vec = NativeVec.withCapacity(pool, POINT, 300_000);
            IntStream.range(0, 300_000).forEach(i -> vec.add(point(i)));
            closable.add(vec);
            assertThatIllegalStateException().isThrownBy(vec::toArray);
            assertThat(closable).isEmpty();
        } // or it would have a live block
    }

    @ParameterizedTest
    @EnumSource
    void allOfTheCapacityCanBeWritten(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    for (int capacity : new int[] {1, 3, 100, 5000, 100_000, 3_000_000}) {
                        if (allocators.isPhysical() && capacity > 100_000) {
                            continue; // what may be locked is little
                        }
                        try (NativeVec<Point> vec =
                                NativeVec.withCapacity(allocator, POINT, capacity)) {
                            assertThat(vec.capacity()).isGreaterThanOrEqualTo(capacity);
                            long room = vec.capacity();
                            for (long i = 0; i < room; i++) {
                                vec.add(point((int) i));
                            }
                            assertThat(vec.capacity()).isEqualTo(room);
                        }
                    }
                });
    }

    @Test
    void aNewVecTakesNoMemoryUntilThereIsAnElement() {
        try (PoolAllocator allocator = PoolAllocator.create();
                NativeVec<Point> vec = NativeVec.create(allocator, POINT)) {
            assertThat(allocator.stats().liveBlocks()).isZero();
            assertThat(vec.capacity()).isZero();
            assertThat(vec.isEmpty()).isTrue();
            assertThat(vec.slice().asList()).isEmpty();
            assertThat(vec.segment().byteSize()).isZero();
            assertThat(vec.toString()).contains("0 × {}");
            vec.reserve(0);
            assertThat(allocator.stats().liveBlocks()).isZero();
            vec.add(point(1));
            assertThat(allocator.stats().liveBlocks()).isEqualTo(1);
            vec.clear();
            vec.shrinkToFit();
            assertThat(allocator.stats().liveBlocks()).isZero();
            vec.add(point(2));
            assertThat(vec.get(0)).isEqualTo(point(2));
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatWasTakenBeforeTheVecMovedIsDead(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    try (NativeVec<Cell> vec = NativeVec.create(allocator, CELL);
                            NativeArray<Cell> one = NativeArray.zeroed(CELL, 1)) {
                        one.get(0).key(5);
                        vec.addAll(one);
                        Cell view = vec.view(0);
                        NativeSlice<Cell> slice = vec.slice();
                        MemorySegment segment = vec.segment();
                        assertThat(view.key()).isEqualTo(5);
                        vec.reserve(vec.capacity());
                        assertThatIllegalStateException().isThrownBy(view::key);
                        assertThatIllegalStateException().isThrownBy(() -> view.key(6));
                        assertThatIllegalStateException().isThrownBy(() -> slice.get(0).key());
                        assertThatIllegalStateException()
                                .isThrownBy(() -> segment.get(ValueLayout.JAVA_LONG, 0));
                        assertThat(vec.view(0).key()).isEqualTo(5);
                        Cell roomy = vec.view(0);
                        vec.shrinkToFit();
                        if (!allocators.isPhysical()) { // whose least block is a page
                            assertThatIllegalStateException().isThrownBy(roomy::key);
                        }
                        assertThat(vec.view(0).key()).isEqualTo(5);
                    }
                });
    }

    @Test
    void aVecAddsItsOwnElementsAlsoWhileItMoves() {
        try (NativeVec<Cell> cells = NativeVec.create(CELL);
                NativeVec<Point> points = NativeVec.create(POINT);
                NativeArray<Cell> one = NativeArray.zeroed(CELL, 1)) {
            one.get(0).key(5);
            cells.addAll(one);
            points.add(point(5));
            for (int i = 0; i < 1000; i++) {
                cells.add(cells.get(i));
                points.add(points.get(i));
            }
            assertThat(cells.stream().allMatch(cell -> cell.key() == 5)).isTrue();
            for (int i = 0; i < 6; i++) {
                cells.addAll(cells.slice());
                points.addAll(points.slice());
            }
            assertThat(cells.size()).isEqualTo(1001 * 64);
            assertThat(cells.stream().allMatch(cell -> cell.key() == 5)).isTrue();
            assertThat(points.stream().allMatch(point(5)::equals)).isTrue();
            cells.insert(0, cells.get(7));
            assertThat(cells.get(0).key()).isEqualTo(5);
        }
    }

    @Test
    void whatCannotBeIsRefusedWithItsValues() {
        try (NativeVec<Point> vec =
                NativeVec.copyOf(PoolAllocator.shared(), POINT, List.of(point(1)))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> vec.reserve(-1))
                    .withMessageContaining("additional=-1");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> vec.reserve(Long.MAX_VALUE))
                    .withMessageContaining("additional=" + Long.MAX_VALUE);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> vec.reserve(Long.MAX_VALUE / 8))
                    .withMessageContaining("8 bytes each");
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> vec.reserve(Long.MAX_VALUE / 16));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> vec.truncate(-1))
                    .withMessageContaining("newSize=-1");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeVec.withCapacity(PoolAllocator.shared(), POINT, -1))
                    .withMessageContaining("-1");
            assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> vec.get(1));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> vec.set(1, point(2)));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> vec.insert(2, point(2)));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> vec.removeAt(1));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> vec.swapRemove(-1));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> vec.slice(0, 2));
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> vec.view(0))
                    .withMessageContaining("describe the struct by an interface");
            assertThatNullPointerException().isThrownBy(() -> vec.add(null));
            assertThat(vec.slice().asList()).containsExactly(point(1));
            vec.clear();
            assertThatExceptionOfType(NoSuchElementException.class).isThrownBy(vec::removeLast);
        }
    }

    @Test
    void elementsWithoutASizeNeedNoRoom() {
        try (PoolAllocator allocator = PoolAllocator.create();
                NativeVec<MemorySegment> vec = NativeVec.create(allocator, NOTHING)) {
            assertThat(vec.capacity()).isEqualTo(Long.MAX_VALUE);
            for (int i = 0; i < 100; i++) {
                vec.add(MemorySegment.NULL);
            }
            vec.insert(5, MemorySegment.NULL);
            vec.removeAt(3);
            vec.swapRemove(3);
            vec.shrinkToFit();
            assertThat(vec.size()).isEqualTo(99);
            assertThat(vec.get(98).byteSize()).isZero();
            assertThat(allocator.stats().liveBlocks()).isZero();
        }
    }

    @Test
    void elementsOfALargeAlignmentKeepIt() {
        try (NativeVec<Line> vec = NativeVec.create(LINE)) {
            for (int i = 0; i < 100; i++) {
                vec.add(new Line((byte) i));
                assertThat(vec.segment().address() % 64).isZero();
            }
            vec.removeAt(10);
            assertThat(vec.get(98).value()).isEqualTo((byte) 99);
        }
    }

    // ---- refusal ------------------------------------------------------------------------------

    /** Blocks of this heap are one call each, so that every one can be refused. */
    @Test
    void aRefusalAtAnyStepOfGrowthLeavesTheVecAsItWas() {
        int refusals = 0;
        for (int nth = 1; nth <= 40; nth++) {
            FakeOperatingSystem os = new FakeOperatingSystem();
            os.refuse(Operation.MALLOC).onNth(nth);
            PoolAllocator allocator = PackageAccess.systemHeap(os);
            try (NativeVec<Point> vec = NativeVec.create(allocator, POINT)) {
                List<Point> model = new ArrayList<>();
                for (int i = 0; i < 3000; i++) {
                    refusals += addRefused(vec, model, i);
                    assertThat(vec.size()).isEqualTo(model.size());
                }
                assertThat(vec.slice().asList()).isEqualTo(model);
                assertThat(allocator.stats().liveBlocks()).isEqualTo(1);
            }
            os.assertNothingLeaked();
        }
        assertThat(refusals).isGreaterThan(15);
    }

    /** Adds in every way in turn; 1 when it was refused, and then the same again. */
    private static int addRefused(NativeVec<Point> vec, List<Point> model, int i) {
        List<Point> two = List.of(point(i), point(-i));
        for (int refused = 0; ; refused++) {
            NativeSlice<Point> slice = vec.slice();
            try {
                switch (i % 4) {
                    case 0 -> vec.add(point(i));
                    case 1 -> vec.insert(vec.size() / 2, point(i));
                    case 2 -> vec.addAll(two);
                    default -> vec.shrinkToFit();
                }
                switch (i % 4) {
                    case 0 -> model.add(point(i));
                    case 1 -> model.add(model.size() / 2, point(i));
                    case 2 -> model.addAll(two);
                    default -> {}
                }
                return refused;
            } catch (AllocationException e) {
                assertThat(slice.asList()).isEqualTo(model);
                assertThat(vec.slice().asList()).isEqualTo(model);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aLargeVecIsEnlargedByTheSystemAndARefusalLeavesItsElements(boolean systemHeap) {
        for (int nth = 1; nth <= 4; nth++) {
            FakeOperatingSystem os = new FakeOperatingSystem();
            PoolAllocator allocator =
                    systemHeap
                            ? PackageAccess.systemHeap(os)
                            : PackageAccess.build(PoolAllocator.builder(), os);
            os.refuse(Operation.REALLOC).onNth(nth);
            int refusals = 0;
            try (NativeVec<Point> vec = NativeVec.create(allocator, POINT)) {
                for (int i = 0; i < 1_000_000; i++) {
                    MemorySegment before = PackageAccess.memory(vec);
                    long capacity = vec.capacity();
                    try {
                        vec.add(point(i));
                    } catch (AllocationException e) {
                        refusals++;
                        assertThat(vec.size()).isEqualTo(i);
                        assertThat(vec.capacity()).isEqualTo(capacity);
                        vec.add(point(i));
                    }
                    if (PackageAccess.memory(vec) != before) {
                        assertThat(before.scope().isAlive()).isFalse();
                    }
                }
                assertThat(vec.slice().toArray(Point[]::new))
                        .isEqualTo(
                                IntStream.range(0, 1_000_000)
                                        .mapToObj(NativeArrayTest::point)
                                        .toArray());
                AllocatorStats stats = allocator.stats();
                assertThat(stats.liveBlocks()).isEqualTo(1);
                assertThat(stats.liveBytes()).isGreaterThanOrEqualTo(8_000_000);
                assertThat(stats.refusedRequests()).isEqualTo(refusals);
                assertThat(
                                stats.liveBytes()
                                        + stats.cachedBytes()
                                        + stats.remoteBytes()
                                        + stats.freeBytes())
                        .isEqualTo(stats.capacityBytes());
                assertThat(os.calls())
                        .filteredOn(call -> call.operation() == Operation.REALLOC)
                        .hasSizeGreaterThan(5);
                vec.truncate(200_000);
                vec.shrinkToFit();
                assertThat(vec.capacity()).isLessThan(220_000);
                assertThat(vec.get(199_999)).isEqualTo(point(199_999));
            }
            assertThat(allocator.stats().liveBlocks()).isZero();
            allocator.trim();
            if (!systemHeap) {
                allocator.close();
            }
            Await.until("everything given back", () -> os.liveBlocks() == 0);
        }
    }

    @Test
    void aVecOfAClosedAllocatorHasTheRoomItHas() {
        PoolAllocator allocator = PoolAllocator.create();
        NativeVec<Point> vec = NativeVec.withCapacity(allocator, POINT, 2);
        assertThatIllegalStateException().isThrownBy(allocator::close);
        while (vec.size() < vec.capacity()) {
            vec.add(point(1));
        }
        long size = vec.size();
        assertThatIllegalStateException()
                .isThrownBy(() -> vec.add(point(2)))
                .withMessageContaining("closed");
        assertThat(vec.size()).isEqualTo(size);
        assertThat(vec.get(0)).isEqualTo(point(1));
        vec.close();
        assertThat(allocator.stats().liveBlocks()).isZero();
    }

    @Test
    void aHardenedPoolFindsWhatWroteBehindTheRoom() {
        try (PoolAllocator allocator = PoolAllocator.builder().hardened(true).build();
                NativeVec<Point> vec = NativeVec.copyOf(allocator, POINT, List.of(point(1)))) {
            MemorySegment beyond = behind(vec.segment().address() + vec.capacity() * 8);
            beyond.set(ValueLayout.JAVA_BYTE, 0, (byte) ~beyond.get(ValueLayout.JAVA_BYTE, 0));
            assertThatIllegalStateException()
                    .isThrownBy(() -> vec.reserve(100))
                    .withMessageContaining("overrun");
            assertThat(vec.slice().asList()).containsExactly(point(1));
            vec.add(point(2));
        }
    }

    private static MemorySegment behind(long address) {
        return NativeMemory.segment(address, 1);
    }

    // ---- adding and removing ------------------------------------------------------------------

    @Test
    void removedElementsAreReturnedAndViewsOfThemStandBehindTheLast() {
        try (NativeVec<Point> points = vec(0, 1, 2, 3, 4);
                NativeVec<Cell> cells = NativeVec.create(CELL);
                NativeArray<Cell> five = NativeArray.zeroed(CELL, 5)) {
            assertThat(points.removeAt(1)).isEqualTo(point(1));
            assertThat(points.swapRemove(0)).isEqualTo(point(0));
            assertThat(points.slice().asList()).containsExactly(point(4), point(2), point(3));
            assertThat(points.removeLast()).isEqualTo(point(3));
            points.insert(0, point(9));
            points.insert(3, point(8));
            assertThat(points.slice().asList())
                    .containsExactly(point(9), point(4), point(2), point(8));
            for (int i = 0; i < 5; i++) {
                five.get(i).key(i);
            }
            cells.addAll(five);
            Cell removed = cells.removeAt(1);
            assertThat(removed.key()).isEqualTo(1);
            assertThat(cells.stream().map(Cell::key)).containsExactly(0L, 2L, 3L, 4L);
            assertThat(cells.swapRemove(0).key()).isZero();
            assertThat(cells.stream().map(Cell::key)).containsExactly(4L, 2L, 3L);
        }
    }

    @Test
    void removeIfKeepsTheOrderAlsoWhereTheConditionThrows() {
        try (NativeVec<Point> vec = vec(0, 1, 2, 3, 4, 5, 6)) {
            assertThat(vec.removeIf(p -> p.x() > 100)).isFalse();
            assertThat(vec.removeIf(p -> p.x() % 3 == 0)).isTrue();
            assertThat(vec.slice().asList())
                    .containsExactly(point(1), point(2), point(4), point(5));
            assertThatExceptionOfType(ArithmeticException.class)
                    .isThrownBy(
                            () ->
                                    vec.removeIf(
                                            p -> {
                                                if (p.x() == 4) {
                                                    throw new ArithmeticException();
                                                }
                                                return true;
                                            }));
            assertThat(vec.slice().asList()).containsExactly(point(4), point(5));
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(
                            () ->
                                    vec.removeIf(
                                            _ -> {
                                                vec.add(point(7));
                                                return true;
                                            }));
            assertThat(vec.slice().asList()).containsExactly(point(4), point(5));
        }
    }

    @DisplayName("Elements of any size are inserted and removed")
    @Test
    void insertAndRemove_ofLargeElements_moveThem() {
        StructType<MemorySegment> beyondInt =
                StructType.of(MemoryLayout.sequenceLayout(1L << 32, ValueLayout.JAVA_BYTE));
        try (NativeVec<MemorySegment> vec =
                NativeVec.from(NativeArray.uninitialized(beyondInt, 1))) { // never touched
            assertThat(vec.removeAt(0).byteSize()).isEqualTo(1L << 32);
            assertThat(vec.isEmpty()).isTrue();
        }
        long bytes = (1 << 16) + 24; // too many to go by way of a Java array
        StructType<MemorySegment> large =
                StructType.of(MemoryLayout.sequenceLayout(bytes, ValueLayout.JAVA_BYTE));
        List<Byte> expected = new ArrayList<>();
        try (NativeVec<MemorySegment> vec = NativeVec.create(large)) {
            byte[] value = new byte[(int) bytes];
            for (byte i = 1; i <= 6; i++) {
                Arrays.fill(value, i);
                int index = i * 7 % (expected.size() + 1);
                vec.insert(index, MemorySegment.ofArray(value));
                expected.add(index, i);
            }
            for (int index : new int[] {5, 0, 2}) {
                assertThat(vec.removeAt(index).get(ValueLayout.JAVA_BYTE, bytes - 1))
                        .isEqualTo(expected.remove(index));
            }
            for (int i = 0; i < expected.size(); i++) {
                Arrays.fill(value, expected.get(i));
                assertThat(vec.get(i).mismatch(MemorySegment.ofArray(value))).isEqualTo(-1);
            }
        }
    }

    @Test
    void addAllIsAllOrNothing() {
        try (NativeVec<Point> vec = vec(1)) {
            List<Point> withNull = new ArrayList<>(List.of(point(2), point(3)));
            withNull.add(null);
            assertThatNullPointerException().isThrownBy(() -> vec.addAll(withNull));
            assertThat(vec.slice().asList()).containsExactly(point(1));
            vec.addAll(List.of());
            vec.addAll(vec.slice(0, 0));
            assertThat(vec.size()).isEqualTo(1);
            try (NativeArray<MemorySegment> others =
                    NativeArray.zeroed(StructType.of(ValueLayout.JAVA_LONG), 1)) {
                @SuppressWarnings("unchecked") // what a program without types does
                NativeSlice<Point> wrong = (NativeSlice<Point>) (NativeSlice<?>) others;
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> vec.addAll(wrong))
                        .withMessageContaining("another layout");
            }
        }
    }

    @Test
    void truncateAndClearKeepTheRoomAndTheViews() {
        try (NativeVec<Cell> vec = NativeVec.create(CELL);
                NativeArray<Cell> five = NativeArray.zeroed(CELL, 5)) {
            vec.addAll(five);
            long capacity = vec.capacity();
            Cell first = vec.view(0);
            vec.truncate(9);
            assertThat(vec.size()).isEqualTo(5);
            vec.truncate(2);
            assertThat(vec.size()).isEqualTo(2);
            assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> vec.get(2));
            first.key(3);
            assertThat(vec.get(0).key()).isEqualTo(3);
            vec.clear();
            assertThat(vec.isEmpty()).isTrue();
            assertThat(vec.capacity()).isEqualTo(capacity);
        }
    }

    // ---- iteration ----------------------------------------------------------------------------

    @Test
    void iterationFailsFast() {
        try (NativeVec<Point> vec = vec(1, 2, 3)) {
            List<Runnable> changes =
                    List.of(
                            () -> vec.add(point(4)),
                            vec::removeLast,
                            () -> {
                                vec.add(point(4));
                                vec.removeLast();
                            },
                            () -> vec.insert(0, point(0)),
                            () -> vec.removeAt(0),
                            () -> vec.reserve(1000),
                            vec::shrinkToFit,
                            () -> vec.truncate(1),
                            () -> {
                                vec.clear();
                                vec.addAll(List.of(point(1), point(2), point(3)));
                            });
            for (Runnable change : changes) {
                vec.clear();
                vec.addAll(List.of(point(1), point(2), point(3)));
                Iterator<Point> iterator = vec.iterator();
                iterator.next();
                change.run();
                assertThatExceptionOfType(ConcurrentModificationException.class)
                        .isThrownBy(iterator::next);
            }
            vec.clear();
            vec.addAll(List.of(point(1), point(2), point(3)));
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(() -> vec.forEach(vec::add));
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(() -> vec.stream().forEach(vec::add));
            assertThatExceptionOfType(WrongThreadException.class)
                    .isThrownBy(() -> vec.stream().parallel().map(Point::x).toList());
            List<Point> seen = new ArrayList<>();
            vec.forEach(seen::add);
            for (Point each : vec) {
                seen.add(each);
            }
            assertThat(seen).hasSize(2 * (int) vec.size());
        }
    }

    // ---- handing over -------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void anArrayTakesOverWithoutCopyingAndGivesBack(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    long before = allocator.stats().liveBlocks();
                    NativeVec<Point> vec =
                            NativeVec.copyOf(allocator, POINT, List.of(point(1), point(2)));
                    NativeSlice<Point> old = vec.slice();
                    long address = vec.segment().address();
                    NativeArray<Point> array = vec.intoArray();
                    assertThat(array.asList()).containsExactly(point(1), point(2));
                    assertThat(array.segment().address()).isEqualTo(address);
                    assertThat(array.segment().byteSize()).isEqualTo(16);
                    assertThatIllegalStateException().isThrownBy(() -> vec.get(0));
                    assertThatIllegalStateException().isThrownBy(() -> vec.add(point(3)));
                    assertThatIllegalStateException().isThrownBy(() -> old.get(0));
                    assertThatIllegalStateException().isThrownBy(vec::intoArray);
                    assertThat(vec.toString()).contains("handed over");
                    vec.close();
                    assertThat(array.get(0)).isEqualTo(point(1));

                    NativeVec<Point> again = NativeVec.from(array);
                    array.close();
                    assertThatIllegalStateException().isThrownBy(() -> array.get(0));
                    assertThatIllegalStateException().isThrownBy(() -> NativeVec.from(array));
                    for (int i = 3; i < 100; i++) {
                        again.add(point(i));
                    }
                    assertThat(again.get(1)).isEqualTo(point(2));
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before + 1);
                    again.close();
                });
    }

    @Test
    void anEmptyVecIsHandedOverToo() {
        try (PoolAllocator allocator = PoolAllocator.create();
                NativeArray<Point> none = NativeVec.create(allocator, POINT).intoArray();
                NativeVec<Point> from = NativeVec.from(NativeArray.zeroed(allocator, POINT, 0))) {
            assertThat(none.isEmpty()).isTrue();
            from.add(point(1));
            assertThat(from.get(0)).isEqualTo(point(1));
        }
    }

    @Test
    void aCopyAsAnArrayIsAnotherOwners() {
        try (NativeVec<Point> vec = vec(3, 1, 2);
                NativeArray<Point> copy = vec.toArray()) {
            vec.slice().sort(Comparator.comparing(Point::x));
            assertThat(vec.slice().asList()).containsExactly(point(1), point(2), point(3));
            assertThat(copy.asList()).containsExactly(point(3), point(1), point(2));
        }
    }

    @Test
    void aVecShowsItsElementsAndItsRoom() {
        try (NativeVec<Point> vec = vec(1, 2)) {
            assertThat(vec.toString())
                    .startsWith("NativeVec[2 × {Point[x=1, y=-1], Point[x=2, y=-2]}, room for ")
                    .endsWith(" bytes]");
        }
    }

    private static NativeVec<Point> vec(int... xs) {
        return NativeVec.copyOf(
                PoolAllocator.shared(),
                POINT,
                IntStream.of(xs).mapToObj(NativeArrayTest::point).toList());
    }
}
