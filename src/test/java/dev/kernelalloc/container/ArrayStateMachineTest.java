package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.CELL;
import static dev.kernelalloc.container.NativeArrayTest.POINT;
import static dev.kernelalloc.container.NativeArrayTest.point;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.container.NativeArrayTest.Cell;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.pool.EveryAllocator;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;

/** Random uses of an array of records and one of views, beside an {@code ArrayList}. */
class ArrayStateMachineTest {

    enum Kind {
        SET,
        UPDATE,
        SWAP,
        REVERSE,
        FILL_SLICE,
        SORT_SLICE,
        SET_IN_LIST,
        COPY_WITHIN,
        COPY_FROM_JAVA,
        SEARCH,
        COPY,
        SHARE,
        BECOME_A_VEC
    }

    record Step(Kind kind, int number, int other) {}

    @Property
    void anArrayDoesWhatAListDoes(
            @ForAll EveryAllocator allocators,
            @ForAll @IntRange(max = 200) int length,
            @ForAll("histories") List<Step> history)
            throws Exception {
        allocators.use(
                allocator -> {
                    Arrays arrays = new Arrays(allocator, length);
                    for (Step step : history) {
                        arrays.perform(step);
                        arrays.check();
                    }
                    arrays.close();
                });
    }

    @Provide
    Arbitrary<List<Step>> histories() {
        Arbitrary<Integer> numbers = Arbitraries.integers().between(0, 1000);
        return Combinators.combine(Arbitraries.of(Kind.class), numbers, numbers)
                .as(Step::new)
                .list()
                .ofMaxSize(40);
    }

    /** The same elements three times. */
    private static final class Arrays {

        private final KernelAllocator allocator;
        private final List<Point> model = new ArrayList<>();
        private NativeArray<Point> records;
        private NativeArray<Cell> views;
        private final NativeArray<Cell> one = NativeArray.zeroed(CELL, 1);

        /** Of all owners so far; each must be dead when its owner is. */
        private final List<NativeSlice<?>> slices = new ArrayList<>();

        Arrays(KernelAllocator allocator, int length) {
            this.allocator = allocator;
            this.records = NativeArray.zeroed(allocator, POINT, length);
            this.views = NativeArray.zeroed(allocator, CELL, length);
            model.addAll(Collections.nCopies(length, point(0)));
        }

        void perform(Step step) {
            int number = step.number;
            int size = model.size();
            int from = Math.min(number, step.other) % (size + 1);
            int to = Math.max(from, Math.max(number, step.other) % (size + 1));
            switch (step.kind) {
                case REVERSE -> {
                    Collections.reverse(model.subList(from, to));
                    slice(records, from, to).reverse();
                    slice(views, from, to).reverse();
                }
                case FILL_SLICE -> {
                    Collections.fill(model.subList(from, to), point(number));
                    slice(records, from, to).fill(point(number));
                    slice(views, from, to).fill(cell(number));
                }
                case SORT_SLICE -> {
                    model.subList(from, to).sort(Comparator.comparing(p -> p.x() % 10));
                    slice(records, from, to).sort(Comparator.comparing(p -> p.x() % 10));
                    slice(views, from, to).sortByLong(cell -> cell.key() % 10);
                }
                case COPY_WITHIN -> {
                    int place = step.other % (size - (to - from) + 1);
                    List<Point> copied = List.copyOf(model.subList(from, to));
                    for (int i = 0; i < copied.size(); i++) {
                        model.set(place + i, copied.get(i));
                    }
                    records.slice(place, place + to - from).copyFrom(slice(records, from, to));
                    views.slice(place, place + to - from).copyFrom(slice(views, from, to));
                }
                case COPY_FROM_JAVA -> {
                    Point[] values = new Point[to - from];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = point(number + i);
                        model.set(from + i, values[i]);
                        views.set(from + i, cell(number + i));
                    }
                    slice(records, from, to).copyFrom(values);
                }
                case SEARCH -> search(number % 200);
                case COPY ->
                        exchange(
                                () -> NativeArray.copyOf(allocator, records),
                                () -> NativeArray.copyOf(allocator, views));
                case SHARE -> {
                    SharedArray<Point> shared = records.share();
                    try (ArrayLease<Point> lease = shared.lease()) {
                        assertThat(lease.stream().parallel().toList()).isEqualTo(model);
                        slices.add(lease.slice(0, size));
                    }
                    records = shared.attach();
                    views = views.share().attach();
                }
                case BECOME_A_VEC -> {
                    records = NativeVec.from(records).intoArray();
                    views = NativeVec.from(views).intoArray();
                    assertThat(slices).noneMatch(slice -> slice.segment().scope().isAlive());
                }
                case SET, UPDATE, SWAP, SET_IN_LIST -> {
                    if (size > 0) {
                        changeOne(step.kind, number, number % size, step.other % size);
                    }
                }
            }
        }

        private void changeOne(Kind kind, int number, int index, int other) {
            switch (kind) {
                case SET -> {
                    model.set(index, point(number));
                    records.set(index, point(number));
                    views.set(index, cell(number));
                }
                case UPDATE -> {
                    model.set(index, point(model.get(index).x() + 1));
                    records.update(index, p -> point(p.x() + 1));
                    Cell view = views.view(index);
                    view.key(view.key() + 1);
                    view.tag((int) -view.key());
                }
                case SWAP -> {
                    Collections.swap(model, index, other);
                    records.swap(index, other);
                    views.swap(index, other);
                }
                default -> {
                    Point before = model.set(index, point(number));
                    assertThat(records.asList().set(index, point(number))).isEqualTo(before);
                    views.set(index, cell(number));
                }
            }
        }

        /** In sorted copies, as a binary search wants it. */
        private void search(int wanted) {
            List<Point> sorted = new ArrayList<>(model);
            sorted.sort(Comparator.comparing(Point::x));
            int expected =
                    Collections.binarySearch(sorted, point(wanted), Comparator.comparing(Point::x));
            try (NativeArray<Point> copy = NativeArray.copyOf(allocator, POINT, sorted);
                    NativeArray<Cell> cells = NativeArray.copyOf(allocator, views)) {
                cells.sortByLong(Cell::key);
                long record = copy.binarySearch(point(wanted), Comparator.comparing(Point::x));
                long view = cells.binarySearchByLong(wanted, Cell::key);
                if (expected >= 0) {
                    assertThat(copy.get(record).x()).isEqualTo(wanted);
                    assertThat(cells.get(view).key()).isEqualTo(wanted);
                } else {
                    assertThat(record).isEqualTo(expected);
                    assertThat(view).isEqualTo(expected);
                }
            }
        }

        private void exchange(
                Supplier<NativeArray<Point>> newRecords, Supplier<NativeArray<Cell>> newViews) {
            NativeArray<Point> oldRecords = records;
            NativeArray<Cell> oldViews = views;
            records = newRecords.get();
            views = newViews.get();
            oldRecords.close();
            oldViews.close();
            for (NativeSlice<?> slice : slices) {
                assertThatIllegalStateException()
                        .isThrownBy(() -> slice.segment().toArray(ValueLayout.JAVA_BYTE));
            }
            slices.clear();
        }

        private <T> NativeSlice<T> slice(NativeArray<T> array, int from, int to) {
            NativeSlice<T> slice = array.slice(from, to);
            slices.add(slice);
            return slice;
        }

        private Cell cell(int number) {
            one.get(0).key(number);
            one.get(0).tag(-number);
            return one.get(0);
        }

        void check() {
            assertThat(records.length()).isEqualTo(model.size());
            assertThat(records.asList()).isEqualTo(model);
            assertThat(records.stream().toList()).isEqualTo(model);
            assertThat(records.toArray(Point[]::new)).containsExactlyElementsOf(model);
            List<Point> seen = new ArrayList<>();
            views.forEach(cell -> seen.add(new Point((int) cell.key(), cell.tag())));
            assertThat(seen).isEqualTo(model);
        }

        void close() {
            records.close();
            views.close();
            one.close();
            assertThat(slices).noneMatch(slice -> slice.segment().scope().isAlive());
        }
    }
}
