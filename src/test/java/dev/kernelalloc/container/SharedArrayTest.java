package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.CELL;
import static dev.kernelalloc.container.NativeArrayTest.POINT;
import static dev.kernelalloc.container.NativeArrayTest.point;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.container.NativeArrayTest.Cell;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.testing.HeldByC;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Spliterator;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

class SharedArrayTest {

    private static final int MANY = 100_000;

    // ---- leases -------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void everyThreadReadsAndWritesThroughLeases(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    NativeArray<Point> mine = NativeArray.of(allocator, POINT, point(1), point(2));
                    try (SharedArray<Point> array = mine.share()) {
                        elsewhere(
                                () -> {
                                    try (ArrayLease<Point> lease = array.lease()) {
                                        lease.set(1, point(lease.get(0).x() + 4));
                                        return "set";
                                    }
                                });
                        try (ArrayLease<Point> lease = array.lease()) {
                            assertThat(lease.asList()).containsExactly(point(1), point(5));
                            assertThat(lease.type()).isSameAs(POINT);
                            assertThat(lease.length()).isEqualTo(2);
                            assertThat(lease.segment().byteSize()).isEqualTo(16);
                        }
                        assertThat(array.type()).isSameAs(POINT);
                        assertThat(array.length()).isEqualTo(2);
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void theMemoryGoesBackWhenTheLastLeaseEnds(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    long before = allocator.stats().liveBlocks();
                    SharedArray<Point> array = NativeArray.zeroed(allocator, POINT, 1000).share();
                    ArrayLease<Point> one = array.lease();
                    ArrayLease<Point> two = array.lease();
                    assertThat(array.leases()).isEqualTo(2);
                    array.close();
                    one.close();
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before + 1);
                    two.fill(point(7));
                    assertThat(two.get(999)).isEqualTo(point(7));
                    two.close();
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before);
                });
    }

    @Test
    void aClosedArrayHasNoNewLeasesAndIsClosedOnce() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            SharedArray<Point> array = NativeArray.zeroed(allocator, POINT, 3).share();
            array.close();
            for (int i = 0; i < 3; i++) { // no refusal brings it back, or its block twice
                assertThatIllegalStateException().isThrownBy(array::lease);
                assertThatIllegalStateException().isThrownBy(array::attach);
                assertThatIllegalStateException()
                        .isThrownBy(array::close)
                        .withMessageContaining("24 bytes");
            }
            assertThat(allocator.stats().liveBlocks()).isZero();
            assertThat(array.toString()).contains("closed, was at").contains("0 leases");
        }
    }

    // ---- parallel streams ---------------------------------------------------------------------

    @Test
    void aParallelStreamOverALeaseReachesEveryElementOnce() {
        try (SharedArray<Point> records = numbered().share();
                SharedArray<Cell> views = NativeArray.zeroed(CELL, MANY).share();
                ArrayLease<Point> ofRecords = records.lease();
                ArrayLease<Cell> ofViews = views.lease()) {
            assertThat(ofRecords.stream().parallel().mapToLong(Point::x).sum())
                    .isEqualTo(LongStream.range(0, MANY).sum());
            assertThat(ofRecords.stream().parallel().toList())
                    .isEqualTo(ofRecords.stream().toList());
            assertThat(ofRecords.asList().parallelStream().filter(p -> p.x() % 2 == 0).count())
                    .isEqualTo(MANY / 2);
            assertThat(ofRecords.stream().parallel().skip(7).limit(9).toList())
                    .isEqualTo(ofRecords.slice(7, 16).asList());
            ofViews.stream().parallel().forEach(cell -> cell.key(cell.key() + 1));
            assertThat(ofViews.stream().parallel().mapToLong(Cell::key).sum()).isEqualTo(MANY);
            assertThat(records.leases()).isEqualTo(1);
            assertThat(views.leases()).isEqualTo(1);
        }
    }

    @Test
    void aPieceIsWorkedOnUnderALeaseOfItsThread() throws Exception {
        try (SharedArray<Cell> array = NativeArray.zeroed(CELL, 10).share();
                ArrayLease<Cell> lease = array.lease()) {
            Spliterator<Cell> right = lease.spliterator();
            Spliterator<Cell> left = right.trySplit();
            assertThat(left.estimateSize() + right.estimateSize()).isEqualTo(10);
            List<Cell> taken = new ArrayList<>();
            elsewhere(
                    () -> {
                        left.tryAdvance(
                                cell -> {
                                    assertThat(array.leases()).isEqualTo(2);
                                    cell.key(7);
                                });
                        assertThat(array.leases()).isEqualTo(1);
                        left.forEachRemaining(
                                cell -> {
                                    assertThat(array.leases()).isEqualTo(2);
                                    cell.key(7);
                                    taken.add(cell);
                                });
                        assertThat(left.tryAdvance(taken::add)).isFalse();
                        assertThatIllegalStateException().isThrownBy(() -> taken.get(0).key());
                        return "done";
                    });
            right.forEachRemaining(
                    cell -> {
                        assertThat(array.leases()).isEqualTo(1); // in the thread of the lease
                        taken.add(cell);
                    });
            assertThat(taken).hasSize(9);
            assertThat(taken.get(8).key()).isZero();
            assertThat(lease.stream().mapToLong(Cell::key).sum()).isEqualTo(35);
        }
    }

    @Test
    void anActionThatThrowsLeavesNoLeaseBehind() throws Exception {
        try (SharedArray<Point> array = numbered().share();
                ArrayLease<Point> lease = array.lease()) {
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(
                            () ->
                                    elsewhere(
                                            () -> {
                                                lease.spliterator()
                                                        .forEachRemaining(SharedArrayTest::fails);
                                                return "done";
                                            }))
                    .withCauseInstanceOf(ArithmeticException.class);
            assertThat(array.leases()).isEqualTo(1);
        }
    }

    private static void fails(Point point) {
        throw new ArithmeticException("at " + point);
    }

    @Test
    void aStreamGoesOnWhileItsLeaseIsOutAlsoOfAClosedArray() throws Exception {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            SharedArray<Point> array = NativeArray.of(allocator, POINT, point(1), point(2)).share();
            ArrayLease<Point> lease = array.lease();
            array.close();
            assertThat(elsewhere(() -> lease.stream().mapToInt(Point::x).sum())).isEqualTo(3);
            assertThat(lease.stream().parallel().mapToInt(Point::x).sum()).isEqualTo(3);
            lease.close();
            assertThat(allocator.stats().liveBlocks()).isZero();
        }
    }

    @Test
    void aStreamEndsWithItsLease() throws Exception {
        try (SharedArray<Point> array = numbered().share()) {
            ArrayLease<Point> lease = array.lease();
            Spliterator<Point> right = lease.spliterator();
            Spliterator<Point> left = right.trySplit();
            lease.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> right.forEachRemaining(SharedArrayTest::fails));
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> elsewhere(() -> left.tryAdvance(SharedArrayTest::fails)))
                    .withCauseInstanceOf(IllegalStateException.class);
            assertThat(array.leases()).isZero();
        }
    }

    @Test
    void whatIsTakenFromALeaseIsItsThreads() throws Exception {
        try (SharedArray<Point> array = numbered().share();
                ArrayLease<Point> lease = array.lease()) {
            NativeSlice<Point> slice = lease.slice(0, 10);
            assertThatExceptionOfType(WrongThreadException.class)
                    .isThrownBy(() -> slice.stream().parallel().toList())
                    .withMessageContaining("stream over a lease");
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> elsewhere(() -> lease.iterator().next()))
                    .withCauseInstanceOf(WrongThreadException.class);
        }
    }

    // ---- from and to one owner ----------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void anArrayIsSharedAndOneThreadsAgainWithoutCopying(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    NativeArray<Point> mine = NativeArray.of(allocator, POINT, point(1), point(2));
                    long place = mine.segment().address();
                    SharedArray<Point> array = mine.share();
                    assertThatIllegalStateException().isThrownBy(() -> mine.get(0));
                    assertThatIllegalStateException().isThrownBy(mine::share);
                    mine.close(); // does nothing
                    assertThat(mine.toString()).contains("handed over");
                    elsewhere(
                            () -> {
                                try (NativeArray<Point> theirs = array.attach()) {
                                    assertThat(theirs.asList()).containsExactly(point(1), point(2));
                                    assertThat(theirs.segment().address()).isEqualTo(place);
                                    assertThatIllegalStateException().isThrownBy(array::lease);
                                    assertThatIllegalStateException().isThrownBy(array::attach);
                                    assertThatIllegalStateException().isThrownBy(array::close);
                                    return "closed";
                                }
                            });
                });
    }

    @Test
    void anArrayWithLeasesIsNotAttached() {
        try (SharedArray<Point> array = numbered().share()) {
            ArrayLease<Point> lease = array.lease();
            assertThatIllegalStateException()
                    .isThrownBy(array::attach)
                    .withMessageContaining("1 leases are out");
            assertThat(lease.get(5)).isEqualTo(point(5));
            lease.close();
        }
    }

    /** Its block is larger than its elements, or there is none. */
    @ParameterizedTest
    @EnumSource
    void anArrayThatWasAVecGoesBackWhole(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    for (int size : new int[] {0, 1, 3, 10, 1000}) {
                        NativeVec<Point> vec = NativeVec.create(allocator, POINT);
                        for (int i = 0; i < size; i++) {
                            vec.add(point(i));
                        }
                        SharedArray<Point> array = vec.intoArray().share();
                        try (ArrayLease<Point> lease = array.lease()) {
                            assertThat(lease.stream().parallel().mapToLong(Point::x).sum())
                                    .isEqualTo(LongStream.range(0, size).sum());
                            assertThat(lease.segment().byteSize()).isEqualTo(8L * size);
                        }
                        if (size % 2 == 0) {
                            array.close();
                        } else {
                            NativeVec.from(array.attach()).close();
                        }
                    }
                });
    }

    @Test
    void aClosedArrayIsNotShared() {
        NativeArray<Point> array = numbered();
        array.close();
        assertThatIllegalStateException().isThrownBy(array::share);
    }

    /** The downcall holds the segment while C calls back into Java. */
    @Test
    void anArrayThatADowncallUsesIsNotShared() throws Exception {
        try (NativeArray<Point> array = numbered()) {
            HeldByC.during(
                    array.segment(),
                    () -> {
                        assertThatIllegalStateException().isThrownBy(array::share);
                        assertThat(array.get(1)).isEqualTo(point(1));
                    });
        }
    }

    @Test
    void aSharedArrayShowsItsElementsItsPlaceAndItsLeases() throws Exception {
        try (SharedArray<Point> array = numbered().share();
                ArrayLease<Point> lease = array.lease()) {
            String place = "at 0x%x, %d bytes".formatted(lease.segment().address(), 8L * MANY);
            assertThat(array.toString())
                    .startsWith("SharedArray[100000 × {Point[x=0, y=0], ")
                    .endsWith(place + ", 1 leases]");
            assertThat(lease.toString()).startsWith("ArrayLease[100000 × {").endsWith(place + "]");
            assertThat(elsewhere(lease::toString))
                    .isEqualTo("ArrayLease[of another thread, " + place + "]");
        }
    }

    @Test
    void manyThreadsShareOneArray() throws Exception {
        try (SharedArray<Cell> array = NativeArray.zeroed(CELL, 4).share();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Object>> tasks =
                    IntStream.range(0, 400)
                            .<Callable<Object>>mapToObj(i -> () -> add(array, i))
                            .toList();
            for (var task : threads.invokeAll(tasks)) {
                assertThatCode(task::get).doesNotThrowAnyException();
            }
            try (ArrayLease<Cell> lease = array.lease()) {
                assertThat(lease.stream().mapToLong(Cell::key).toArray()).containsOnly(100);
            }
        }
    }

    private static Object add(SharedArray<Cell> array, int i) {
        try (ArrayLease<Cell> lease = array.lease()) {
            ValueLayout.OfLong number = ValueLayout.JAVA_LONG;
            return number.varHandle().getAndAdd(lease.segment(i % 4), 0L, 1L);
        }
    }

    private static NativeArray<Point> numbered() {
        NativeArray<Point> array = NativeArray.uninitialized(POINT, MANY);
        for (int i = 0; i < MANY; i++) {
            array.set(i, point(i));
        }
        return array;
    }

    private static <T> T elsewhere(Callable<T> task) throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            return other.submit(task).get();
        }
    }
}
