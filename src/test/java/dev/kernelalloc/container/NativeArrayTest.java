package dev.kernelalloc.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Meanwhile;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.stream.IntStream;

class NativeArrayTest {

    record Point(int x, int y) {}

    interface Cell {
        long key();

        void key(long value);

        int tag();

        void tag(int value);
    }

    @Struct(align = 64)
    record Line(byte value) {}

    interface Packet {
        int length();

        @Flexible
        byte body(long index);
    }

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);
    static final StructType<Cell> CELL = StructType.of(MethodHandles.lookup(), Cell.class);
    static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);
    static final StructType<MemorySegment> INT = StructType.of(ValueLayout.JAVA_INT);

    /** 12 bytes, aligned to 8. */
    static final StructType<MemorySegment> UNPADDED =
            StructType.of(MemoryLayout.structLayout(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));

    static final StructType<MemorySegment> NOTHING = StructType.of(MemoryLayout.structLayout());

    // ---- making -------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void anArrayHoldsItsValuesByCopy(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    try (NativeArray<Point> array =
                            NativeArray.of(allocator, POINT, point(1), point(2), point(3))) {
                        assertThat(array.length()).isEqualTo(3);
                        assertThat(array.asList()).containsExactly(point(1), point(2), point(3));
                        array.set(1, point(9));
                        assertThat(array.get(1)).isEqualTo(point(9));
                        assertThat(array.segment().byteSize()).isEqualTo(24);
                        assertThat(array.segment().get(ValueLayout.JAVA_INT, 8)).isEqualTo(9);
                        assertThat(array.type()).isSameAs(POINT);
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void aZeroedArrayIsZeroAlsoWhereOneWasWrittenBefore(EveryAllocator allocators)
            throws Exception {
        allocators.use(
                allocator -> {
                    for (int length : new int[] {1, 10, 1000, 100_000}) {
                        for (int i = 0; i < 3; i++) {
                            try (NativeArray<Cell> array =
                                    NativeArray.uninitialized(allocator, CELL, length)) {
                                array.segment().fill((byte) -1);
                            }
                            try (NativeArray<Cell> array =
                                    NativeArray.zeroed(allocator, CELL, length)) {
                                assertThat(array.stream().allMatch(cell -> cell.key() == 0))
                                        .isTrue();
                                assertThat(array.segment().mismatch(zeros(array))).isEqualTo(-1);
                            }
                        }
                    }
                });
    }

    private static MemorySegment zeros(NativeSlice<?> array) {
        return MemorySegment.ofArray(new byte[(int) array.segment().byteSize()]);
    }

    @ParameterizedTest
    @EnumSource
    void elementsStandApartByTheirSizeRoundedUpToTheirAlignment(EveryAllocator allocators)
            throws Exception {
        allocators.use(
                allocator -> {
                    try (NativeArray<Line> lines = NativeArray.zeroed(allocator, LINE, 3);
                            NativeArray<MemorySegment> unpadded =
                                    NativeArray.zeroed(allocator, UNPADDED, 3)) {
                        assertThat(lines.segment().address() % 64).isZero();
                        assertThat(lines.segment().byteSize()).isEqualTo(192);
                        lines.set(2, new Line((byte) 5));
                        assertThat(lines.segment().get(ValueLayout.JAVA_BYTE, 128))
                                .isEqualTo((byte) 5);
                        assertThat(unpadded.segment().byteSize()).isEqualTo(48);
                        assertThat(unpadded.get(1).byteSize()).isEqualTo(12);
                        assertThat(unpadded.get(1).address() - unpadded.segment().address())
                                .isEqualTo(16);
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void anArrayOfNothingIsStillAnOwner(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    try (NativeArray<Point> none = NativeArray.zeroed(allocator, POINT, 0);
                            NativeArray<MemorySegment> sizeless =
                                    NativeArray.zeroed(allocator, NOTHING, 1000)) {
                        assertThat(none.isEmpty()).isTrue();
                        assertThat(none.asList()).isEmpty();
                        assertThat(none.slice(0, 0).length()).isZero();
                        assertThat(none.segment().address()).isNotZero();
                        none.fill(point(1));
                        none.reverse();
                        none.sort(Comparator.comparing(Point::x));
                        assertThat(none.binarySearchByLong(1, Point::x)).isEqualTo(-1);
                        assertThat(sizeless.length()).isEqualTo(1000);
                        assertThat(sizeless.get(999).byteSize()).isZero();
                        sizeless.fill(sizeless.get(0));
                        sizeless.sort((_, _) -> 0);
                        assertThat(sizeless.stream().count()).isEqualTo(1000);
                        assertThat(allocator.toString()).contains("live");
                    }
                });
    }

    @Test
    void lengthsThatCannotBeAreRefusedWithTheirValues() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeArray.zeroed(POINT, -1))
                .withMessageContaining("length=-1");
        for (long length : new long[] {Long.MAX_VALUE, Long.MAX_VALUE / 8 + 1, 1L << 61}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeArray.uninitialized(POINT, length))
                    .withMessageContaining("length=" + length)
                    .withMessageContaining("8 bytes each");
        }
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> NativeArray.uninitialized(POINT, Long.MAX_VALUE / 16));
        StructType<Packet> packet = StructType.of(MethodHandles.lookup(), Packet.class);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeArray.zeroed(packet, 1))
                .withMessageContaining("@Flexible");
    }

    @Test
    void valuesThatCannotBeWrittenLeaveNoBlockBehind() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            assertThatNullPointerException()
                    .isThrownBy(() -> NativeArray.of(allocator, POINT, point(1), null));
            List<Point> growing =
                    new ArrayList<>() {
                        @Override
                        public Iterator<Point> iterator() {
                            return List.of(point(1), point(2)).iterator();
                        }
                    };
            growing.add(point(1));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> NativeArray.copyOf(allocator, POINT, growing));
            growing.add(point(1));
            growing.add(point(1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeArray.copyOf(allocator, POINT, growing))
                    .withMessageContaining("3 values were announced, 2 came");
        }
    }

    @Test
    void arraysWithoutAnAllocatorUseTheGlobalOne() {
        long before = KernelAllocator.global().stats().liveBlocks();
        try (NativeArray<Point> values = NativeArray.of(POINT, point(1));
                NativeArray<Point> zeros = NativeArray.zeroed(POINT, 1);
                NativeArray<Point> undefined = NativeArray.uninitialized(POINT, 1)) {
            assertThat(KernelAllocator.global().stats().liveBlocks()).isEqualTo(before + 3);
            undefined.copyFrom(values);
            assertThat(undefined.get(0)).isEqualTo(point(1));
            assertThat(zeros.get(0)).isEqualTo(new Point(0, 0));
        }
        assertThat(KernelAllocator.global().stats().liveBlocks()).isEqualTo(before);
    }

    @Test
    void whereThereIsNoMemoryThereIsAnExceptionAndLaterAnArray() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        try (PoolAllocator allocator = PackageAccess.build(PoolAllocator.builder(), os)) {
            os.refuse(Operation.ALIGNED_ALLOC);
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> NativeArray.zeroed(allocator, POINT, 10));
            os.allow(Operation.ALIGNED_ALLOC);
            try (NativeArray<Point> array = NativeArray.zeroed(allocator, POINT, 10)) {
                assertThat(array.get(9)).isEqualTo(new Point(0, 0));
            }
        }
        os.assertNothingLeaked();
    }

    // ---- elements -----------------------------------------------------------------------------

    @Test
    void elementsOutsideAreRefusedAlsoWhereTheirOffsetWouldOverflow() {
        try (NativeArray<Point> array = NativeArray.zeroed(POINT, 3)) {
            for (long index : new long[] {-1, 3, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 61}) {
                isOutside(() -> array.get(index));
                isOutside(() -> array.set(index, point(1)));
                isOutside(() -> array.segment(index));
                isOutside(() -> array.swap(0, index));
                isOutside(() -> array.slice(0, 3).get(index));
                isOutside(() -> array.slice(0, 3).set(index, point(1)));
            }
            isOutside(() -> array.slice(1, 2).get(1));
            isOutside(() -> array.slice(2, 1));
            isOutside(() -> array.slice(0, 4));
            isOutside(() -> array.slice(-1, 1));
        }
    }

    private static void isOutside(ThrowingCallable call) {
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(call);
    }

    @Test
    void interfacesAreLiveViewsAndRecordsAreRefusedAsSuch() {
        try (NativeArray<Cell> cells = NativeArray.zeroed(CELL, 2);
                NativeArray<Point> points = NativeArray.zeroed(POINT, 2)) {
            cells.view(1).key(7);
            assertThat(cells.get(1).key()).isEqualTo(7);
            assertThat(cells.slice(1, 2).view(0).key()).isEqualTo(7);
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> points.view(1))
                    .withMessageContaining("describe the struct by an interface");
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> points.slice(0, 1).view(0));
        }
    }

    @Test
    void aSliceIsThePartOfTheArrayItself() {
        try (NativeArray<Point> array = NativeArray.of(POINT, point(1), point(2), point(3))) {
            NativeSlice<Point> slice = array.slice(1, 3);
            assertThat(slice.asList()).containsExactly(point(2), point(3));
            slice.set(0, point(9));
            assertThat(array.get(1)).isEqualTo(point(9));
            NativeSlice<Point> inner = slice.slice(1, 2);
            inner.update(0, old -> new Point(old.x() + 1, old.y()));
            assertThat(array.get(2)).isEqualTo(new Point(4, -3));
            assertThat(inner.toString())
                    .contains("1 × {Point[x=4, y=-3]}")
                    .contains("0x%x, 8 bytes".formatted(array.segment().address() + 16));
        }
    }

    @Test
    void fillSwapReverse() {
        for (int length = 0; length < 70; length++) {
            try (NativeArray<Cell> array = NativeArray.uninitialized(CELL, length);
                    NativeArray<Cell> pattern = NativeArray.zeroed(CELL, 1)) {
                pattern.get(0).key(-5);
                pattern.get(0).tag(6);
                array.fill(pattern.get(0));
                assertThat(array.stream().allMatch(cell -> cell.key() == -5 && cell.tag() == 6))
                        .isTrue();
                for (int i = 0; i < length; i++) {
                    array.get(i).key(i);
                }
                array.reverse();
                for (int i = 0; i < length; i++) {
                    assertThat(array.get(i).key()).isEqualTo(length - 1 - i);
                }
            }
        }
        try (NativeArray<Line> lines = NativeArray.zeroed(LINE, 2);
                NativeArray<Point> points = NativeArray.zeroed(POINT, 0)) {
            lines.set(0, new Line((byte) 3));
            lines.swap(0, 1);
            lines.swap(1, 1);
            assertThat(lines.get(1).value()).isEqualTo((byte) 3);
            assertThatNullPointerException().isThrownBy(() -> points.fill(null));
        }
    }

    @Test
    @DisplayName("A fill writes its value everywhere, whatever another thread writes meanwhile")
    void fill_whileAnotherThreadWrites_writesItsValueToTheOtherElements() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            NativeSlice<Point> points =
                    NativeSlice.over(POINT, arena.allocate(POINT.layout(), 5000));
            MemorySegment others = points.slice(1, 5000).segment();
            MemorySegment expected = arena.allocate(others.byteSize(), 8);
            NativeSlice.over(POINT, expected).fill(point(1));
            Meanwhile.repeat(
                    () -> points.set(0, point(2)),
                    () -> {
                        points.fill(point(1));
                        assertThat(others.mismatch(expected)).isEqualTo(-1);
                    });
        }
    }

    @Test
    @DisplayName("Threads that sort the same structs at once disturb the order alone")
    void sort_whileAnotherThreadSorts_endsWithoutAnError() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            NativeSlice<Point> points =
                    NativeSlice.over(POINT, arena.allocate(POINT.layout(), 300));
            Random random = new Random(1);
            Runnable sort =
                    () -> {
                        points.set(random.nextInt(300), point(random.nextInt()));
                        points.reverse();
                        points.sortByLong(Point::x);
                    };
            Meanwhile.repeat(sort, sort);
            points.sortByLong(Point::x);
            assertThat(points.stream().map(Point::x)).isSorted();
        }
    }

    // ---- many at once -------------------------------------------------------------------------

    @Test
    void javaArraysAreCopiedWholeOrNotAtAll() {
        try (NativeArray<Point> array = NativeArray.zeroed(POINT, 2)) {
            array.copyFrom(new Point[] {point(1), point(2)});
            assertThat(array.toArray(Point[]::new)).containsExactly(point(1), point(2));
            Point[] three = new Point[3];
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> array.copyFrom(three))
                    .withMessageContaining("3 values passed, but there are 2 elements");
            assertThatIllegalArgumentException().isThrownBy(() -> array.copyTo(three));
            int[] numbers = {5, 6, 7, 8};
            array.copyFrom(MemorySegment.ofArray(numbers));
            assertThat(array.get(1)).isEqualTo(new Point(7, 8));
            int[] back = new int[4];
            array.copyTo(MemorySegment.ofArray(back));
            assertThat(back).containsExactly(numbers);
            MemorySegment tooFew = MemorySegment.ofArray(new int[3]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> array.copyFrom(tooFew))
                    .withMessageContaining("12 bytes passed, but 2 elements have 16 bytes");
            assertThatIllegalArgumentException().isThrownBy(() -> array.copyTo(tooFew));
        }
    }

    @Test
    void elementsAreCopiedAlsoWithinTheSameArray() {
        try (NativeArray<Point> array =
                        NativeArray.of(POINT, point(1), point(2), point(3), point(4));
                NativeArray<MemorySegment> ints = NativeArray.zeroed(INT, 4)) {
            array.slice(1, 4).copyFrom(array.slice(0, 3));
            assertThat(array.asList()).containsExactly(point(1), point(1), point(2), point(3));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> array.copyFrom(array.slice(0, 3)))
                    .withMessageContaining("3 elements passed, but there are 4");
            NativeArray<MemorySegment> longs =
                    NativeArray.zeroed(StructType.of(ValueLayout.JAVA_LONG), 4);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> ints.copyFrom(longs))
                    .withMessageContaining("another layout");
            longs.close();
            try (NativeArray<Point> copy = NativeArray.copyOf(PoolAllocator.shared(), array)) {
                array.fill(point(0));
                assertThat(copy.get(3)).isEqualTo(point(3));
            }
        }
    }

    // ---- order --------------------------------------------------------------------------------

    @Test
    void sortingIsStableForRecordsAndViews() {
        Random random = new Random(7);
        for (int length : new int[] {0, 1, 2, 3, 8, 9, 17, 100, 1000, 10_000}) {
            List<Point> model =
                    new ArrayList<>(
                            IntStream.range(0, length)
                                    .mapToObj(i -> new Point(random.nextInt(length / 3 + 1), i))
                                    .toList());
            try (NativeArray<Point> points =
                            NativeArray.copyOf(PoolAllocator.shared(), POINT, model);
                    NativeArray<Cell> cells = NativeArray.zeroed(CELL, length)) {
                for (int i = 0; i < length; i++) {
                    cells.get(i).key(model.get(i).x());
                    cells.get(i).tag(model.get(i).y());
                }
                model.sort(Comparator.comparing(Point::x));
                points.sortByLong(Point::x);
                cells.sort(Comparator.comparingLong(Cell::key));
                assertThat(points.asList()).isEqualTo(model);
                assertThat(cells.stream().map(c -> new Point((int) c.key(), c.tag())).toList())
                        .isEqualTo(model);
                points.asList().sort(Comparator.comparing(Point::y).reversed());
                model.sort(Comparator.comparing(Point::y).reversed());
                assertThat(points.asList()).isEqualTo(model);
            }
        }
    }

    @Test
    void aComparatorThatThrowsLosesNoElement() {
        List<Point> model =
                new ArrayList<>(IntStream.range(0, 200).mapToObj(i -> new Point(i, i)).toList());
        Collections.shuffle(model, new Random(3));
        long live = PoolAllocator.shared().stats().liveBlocks();
        for (int calls = 0; calls < 1200; calls += 7) {
            int last = calls;
            int[] made = new int[1];
            try (NativeArray<Point> array =
                    NativeArray.copyOf(PoolAllocator.shared(), POINT, model)) {
                try {
                    array.sort(
                            (a, b) -> {
                                if (made[0]++ == last) {
                                    throw new UnsupportedOperationException("enough");
                                }
                                return Integer.compare(a.x(), b.x());
                            });
                    assertThat(made[0]).isLessThanOrEqualTo(last);
                } catch (UnsupportedOperationException e) {
                    assertThat(e).hasMessage("enough");
                }
                assertThat(array.asList()).containsExactlyInAnyOrderElementsOf(model);
            }
        }
        assertThat(PoolAllocator.shared().stats().liveBlocks()).isEqualTo(live);
    }

    @Test
    void aSearchFindsAnElementOrItsPlace() {
        try (NativeArray<Point> array = NativeArray.zeroed(POINT, 50)) {
            for (int i = 0; i < 50; i++) {
                array.set(i, point(2 * i));
            }
            for (int i = -1; i < 102; i++) {
                long expected =
                        i >= 0 && i < 100 && i % 2 == 0
                                ? i / 2
                                : -1 - Math.clamp(Math.ceilDiv(i, 2), 0, 50);
                assertThat(array.binarySearchByLong(i, Point::x)).isEqualTo(expected);
                assertThat(array.binarySearch(point(i), Comparator.comparing(Point::x)))
                        .isEqualTo(expected);
            }
        }
    }

    // ---- one after the other ------------------------------------------------------------------

    @Test
    void aParallelStreamOfOneThreadsArrayIsRefusedAndSaysWhy() {
        try (NativeArray<Point> array = NativeArray.of(POINT, point(1), point(2), point(3))) {
            assertThat(array.stream().mapToInt(Point::x).sum()).isEqualTo(6);
            assertThatExceptionOfType(WrongThreadException.class)
                    .isThrownBy(() -> array.stream().parallel().mapToInt(Point::x).sum())
                    .withMessageContaining("confined to one thread");
            assertThatExceptionOfType(WrongThreadException.class)
                    .isThrownBy(() -> array.asList().parallelStream().toList());
            assertThat(array.stream().toList().parallelStream().mapToInt(Point::x).sum())
                    .isEqualTo(6);
        }
    }

    @Test
    void iterationEndsWithTheLastElement() {
        try (NativeArray<Point> array = NativeArray.of(POINT, point(1), point(2))) {
            List<Point> seen = new ArrayList<>();
            for (Point each : array) {
                seen.add(each);
            }
            array.forEach(seen::add);
            array.slice(1, 2).forEach(seen::add);
            assertThat(seen).containsExactly(point(1), point(2), point(1), point(2), point(2));
            Iterator<Point> iterator = array.iterator();
            iterator.next();
            iterator.next();
            assertThat(iterator.hasNext()).isFalse();
            assertThatExceptionOfType(NoSuchElementException.class).isThrownBy(iterator::next);
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(iterator::remove);
        }
    }

    @Test
    void aListSetsCopiesAndRefusesWhatItCannotDo() {
        try (NativeArray<Point> points = NativeArray.of(POINT, point(1), point(2));
                NativeArray<Cell> cells = NativeArray.zeroed(CELL, 2)) {
            List<Point> list = points.asList();
            assertThat(list.set(0, point(5))).isEqualTo(point(1));
            assertThat(list).containsExactly(point(5), point(2)).contains(point(2));
            assertThat(list.indexOf(point(2))).isEqualTo(1);
            Collections.reverse(list);
            assertThat(points.get(0)).isEqualTo(point(2));
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> list.add(point(3)));
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> list.remove(0));
            List<Cell> views = cells.asList();
            views.get(1).key(4);
            assertThat(cells.get(1).key()).isEqualTo(4);
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> Collections.reverse(views))
                    .withMessageContaining("live views");
        }
    }

    @Test
    void moreElementsThanAListCanHaveAreStillElements() {
        try (NativeArray<MemorySegment> array =
                NativeArray.zeroed(NOTHING, Integer.MAX_VALUE + 1L)) {
            assertThat(array.length()).isEqualTo(Integer.MAX_VALUE + 1L);
            assertThatIllegalStateException()
                    .isThrownBy(array::asList)
                    .withMessageContaining("take a slice");
            assertThatIllegalStateException().isThrownBy(() -> array.toArray(MemorySegment[]::new));
            assertThat(array.slice(0, 5).asList()).hasSize(5);
        }
    }

    @Test
    void anArrayShowsItsFirstElementsItsPlaceAndItsGuarantee() {
        try (NativeArray<Point> array = NativeArray.zeroed(POINT, 5);
                PhysicalAllocator physical = PhysicalAllocator.create();
                NativeArray<Point> locked = NativeArray.of(physical, POINT, point(1))) {
            assertThat(array.toString())
                    .contains("5 × {Point[x=0, y=0], ", ", …}")
                    .endsWith("0x%x, 40 bytes]".formatted(array.segment().address()));
            assertThat(locked.toString()).contains("resident and locked");
            assertThat(physical.guarantee(locked.slice(0, 1).segment()))
                    .containsExactlyInAnyOrder(Guarantee.RESIDENT, Guarantee.LOCKED);
        }
    }

    static Point point(int x) {
        return new Point(x, -x);
    }
}
