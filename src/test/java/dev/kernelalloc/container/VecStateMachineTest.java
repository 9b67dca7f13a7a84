package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.CELL;
import static dev.kernelalloc.container.NativeArrayTest.POINT;
import static dev.kernelalloc.container.NativeArrayTest.point;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.container.NativeArrayTest.Cell;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.pool.EveryAllocator;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** Random uses of a vec of records and one of views, beside an {@code ArrayList}. */
class VecStateMachineTest {

    enum Kind {
        ADD,
        ADD_MANY,
        ADD_OWN,
        INSERT,
        SET,
        REMOVE_AT,
        SWAP_REMOVE,
        REMOVE_LAST,
        REMOVE_IF,
        TRUNCATE,
        CLEAR,
        RESERVE,
        SHRINK,
        SORT,
        REVERSE,
        FILL,
        HAND_OVER
    }

    record Step(Kind kind, int number) {}

    @Property
    void aVecDoesWhatAListDoes(
            @ForAll EveryAllocator allocators, @ForAll("histories") List<Step> history)
            throws Exception {
        allocators.use(
                allocator -> {
                    Vecs vecs = new Vecs(allocator);
                    for (Step step : history) {
                        vecs.perform(step);
                        vecs.check();
                    }
                    vecs.close();
                });
    }

    @Provide
    Arbitrary<List<Step>> histories() {
        Arbitrary<Kind> kinds =
                Arbitraries.oneOf(
                        Arbitraries.of(Kind.class),
                        Arbitraries.of(Kind.ADD, Kind.ADD_MANY, Kind.INSERT));
        return Combinators.combine(kinds, Arbitraries.integers().between(0, 1000))
                .as(Step::new)
                .list()
                .ofMaxSize(60);
    }

    /** The same elements three times. */
    private static final class Vecs {

        private final List<Point> model = new ArrayList<>();
        private NativeVec<Point> records;
        private NativeVec<Cell> views;
        private final NativeArray<Cell> one;

        Vecs(KernelAllocator allocator) {
            records = NativeVec.create(allocator, POINT);
            views = NativeVec.create(allocator, CELL);
            one = NativeArray.zeroed(CELL, 1);
        }

        void perform(Step step) {
            int number = step.number;
            int size = model.size();
            int index = size == 0 ? 0 : number % size;
            switch (step.kind) {
                case ADD -> {
                    model.add(point(number));
                    records.add(point(number));
                    views.add(cell(number));
                }
                case ADD_MANY -> {
                    List<Point> many = Collections.nCopies(number, point(number));
                    model.addAll(many);
                    records.addAll(many);
                    views.addAll(Collections.nCopies(number, cell(number)));
                }
                case ADD_OWN -> {
                    model.addAll(List.copyOf(model.subList(index, Math.min(size, index + 50))));
                    records.addAll(records.slice(index, Math.min(size, index + 50)));
                    views.addAll(views.slice(index, Math.min(size, index + 50)));
                }
                case INSERT -> {
                    int place = number % (size + 1);
                    model.add(place, point(number));
                    records.insert(place, point(number));
                    views.insert(place, cell(number));
                }
                case REMOVE_IF -> {
                    int rest = number % 7;
                    boolean removed = model.removeIf(point -> point.x() % 7 == rest);
                    assertThat(records.removeIf(point -> point.x() % 7 == rest)).isEqualTo(removed);
                    assertThat(views.removeIf(cell -> cell.key() % 7 == rest)).isEqualTo(removed);
                }
                case TRUNCATE -> {
                    model.subList(index, size).clear();
                    records.truncate(index);
                    views.truncate(index);
                }
                case CLEAR -> {
                    model.clear();
                    records.clear();
                    views.clear();
                }
                case RESERVE -> {
                    records.reserve(number);
                    views.reserve(number);
                    assertThat(records.capacity()).isGreaterThanOrEqualTo(size + number);
                }
                case SHRINK -> {
                    records.shrinkToFit();
                    views.shrinkToFit();
                }
                case SORT -> {
                    model.sort(Comparator.comparing(point -> point.x() % 10));
                    records.slice().sort(Comparator.comparing(point -> point.x() % 10));
                    views.slice().sortByLong(cell -> cell.key() % 10);
                }
                case REVERSE -> {
                    Collections.reverse(model);
                    records.slice().reverse();
                    views.slice().reverse();
                }
                case FILL -> {
                    Collections.fill(model, point(number));
                    records.slice().fill(point(number));
                    views.slice().fill(cell(number));
                }
                case HAND_OVER -> {
                    records = NativeVec.from(records.intoArray());
                    views = NativeVec.from(views.intoArray());
                }
                case SET, REMOVE_AT, SWAP_REMOVE, REMOVE_LAST -> {
                    if (size > 0) {
                        changeOne(step.kind, index, number);
                    }
                }
            }
        }

        private void changeOne(Kind kind, int index, int number) {
            switch (kind) {
                case SET -> {
                    model.set(index, point(number));
                    records.set(index, point(number));
                    views.set(index, cell(number));
                }
                case REMOVE_AT -> {
                    Point removed = model.remove(index);
                    assertThat(records.removeAt(index)).isEqualTo(removed);
                    assertThat(views.removeAt(index).key()).isEqualTo(removed.x());
                }
                case SWAP_REMOVE -> {
                    Point removed = model.get(index);
                    Point last = model.removeLast();
                    if (index < model.size()) {
                        model.set(index, last);
                    }
                    assertThat(records.swapRemove(index)).isEqualTo(removed);
                    assertThat(views.swapRemove(index).key()).isEqualTo(removed.x());
                }
                default -> {
                    Point removed = model.removeLast();
                    assertThat(records.removeLast()).isEqualTo(removed);
                    assertThat(views.removeLast().key()).isEqualTo(removed.x());
                }
            }
        }

        private Cell cell(int number) {
            one.get(0).key(number);
            one.get(0).tag(-number);
            return one.get(0);
        }

        void check() {
            assertThat(records.size()).isEqualTo(model.size());
            assertThat(records.stream().toList()).isEqualTo(model);
            assertThat(views.stream().map(c -> new Point((int) c.key(), c.tag())).toList())
                    .isEqualTo(model);
        }

        void close() {
            records.close();
            views.close();
            one.close();
        }
    }
}
