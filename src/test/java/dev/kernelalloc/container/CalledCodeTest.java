package dev.kernelalloc.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.invoke.MethodHandles;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.ConcurrentModificationException;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** What code may do that a container calls in the middle of an operation, and what it may not. */
class CalledCodeTest {

    /** Where the user's code runs. */
    enum Place {
        RECORD,
        CALLBACK
    }

    /** Runs once, at the first call of user code of that kind. */
    private static final class Hook {
        static Place place = Place.RECORD;
        static Runnable armed = Hook::nothing;

        private Hook() {}

        static void nothing() {}

        static void reach(Place here) {
            if (here == place) {
                Runnable once = armed;
                armed = Hook::nothing;
                once.run();
            }
        }
    }

    /** A record with code of its own. */
    record Hooked(long value) {
        Hooked {
            Hook.reach(Place.RECORD);
        }

        @Override
        public long value() {
            Hook.reach(Place.RECORD);
            return value;
        }
    }

    /** A record with code that runs while a record around it is read. */
    record Inner(long value) {
        Inner {
            Hook.reach(Place.RECORD);
        }
    }

    record Outer(Inner inner, long value) {}

    interface Cell {
        long value();

        void value(long value);
    }

    private static final StructType<Hooked> HOOKED =
            StructType.of(MethodHandles.lookup(), Hooked.class);
    private static final Hooked EIGHT = new Hooked(8);
    private static final Hooked NINE = new Hooked(9);
    private static final StructType<Cell> CELL = StructType.of(MethodHandles.lookup(), Cell.class);

    /** Operations of every container that call code of the user. */
    enum OfSlice {
        UPDATE(slice -> slice.update(2, CalledCodeTest::same)),
        FILL(slice -> slice.slice(2, 3).fill(NINE)),
        COPY_FROM(slice -> slice.slice(2, 3).copyFrom(new Hooked[] {NINE})),
        COPY_TO(slice -> slice.copyTo(new Hooked[6])),
        TO_ARRAY(slice -> slice.toArray(Hooked[]::new)),
        SORT(slice -> slice.sort(CalledCodeTest::compare)),
        SORT_BY_LONG(slice -> slice.sortByLong(Hooked::value)),
        BINARY_SEARCH(slice -> slice.binarySearch(NINE, CalledCodeTest::compare)),
        BINARY_SEARCH_BY_LONG(slice -> slice.binarySearchByLong(9, Hooked::value)),
        FOR_EACH(slice -> slice.forEach(CalledCodeTest::see)),
        STREAM(slice -> slice.stream().forEach(CalledCodeTest::see)),
        REPLACE_ALL(slice -> slice.asList().replaceAll(CalledCodeTest::same)),
        LIST_SORT(slice -> slice.asList().sort(CalledCodeTest::compare)),
        LIST_FOR_EACH(slice -> slice.asList().forEach(CalledCodeTest::see));

        private final Consumer<NativeSlice<Hooked>> operation;

        OfSlice(Consumer<NativeSlice<Hooked>> operation) {
            this.operation = operation;
        }
    }

    enum OfVec {
        ADD(vec -> vec.add(NINE)),
        INSERT(vec -> vec.insert(1, NINE)),
        SET(vec -> vec.set(2, NINE)),
        ADD_ALL(vec -> vec.addAll(List.of(EIGHT, NINE))),
        ADD_ALL_SIZE(vec -> vec.addAll(new Firing(Firing.At.SIZE))),
        ADD_ALL_ITERATOR(vec -> vec.addAll(new Firing(Firing.At.ITERATOR))),
        ADD_ALL_NEXT(vec -> vec.addAll(new Firing(Firing.At.NEXT))),
        REMOVE_IF(
                vec ->
                        vec.removeIf(
                                one -> {
                                    see(one);
                                    return false;
                                })),
        REMOVE_LAST(NativeVec::removeLast),
        REMOVE_AT(vec -> vec.removeAt(1)),
        SWAP_REMOVE(vec -> vec.swapRemove(1)),
        FOR_EACH(vec -> vec.forEach(CalledCodeTest::see));

        private final Consumer<NativeVec<Hooked>> operation;

        OfVec(Consumer<NativeVec<Hooked>> operation) {
            this.operation = operation;
        }
    }

    /** Whatever changes where elements lie, or how many there are. */
    private static final List<Consumer<NativeVec<Hooked>>> CHANGES_OF_VEC =
            List.of(
                    vec -> vec.add(new Hooked(7)),
                    vec -> vec.insert(0, new Hooked(7)),
                    vec -> vec.addAll(List.of(new Hooked(7))),
                    vec -> vec.addAll(vec.slice(0, 1)),
                    NativeVec::removeLast,
                    vec -> vec.removeAt(0),
                    vec -> vec.swapRemove(0),
                    vec -> vec.removeIf(_ -> true),
                    vec -> vec.truncate(1),
                    NativeVec::clear,
                    vec -> vec.reserve(1000),
                    NativeVec::shrinkToFit,
                    NativeVec::intoArray,
                    NativeVec::close);

    private static final List<Consumer<NativeArray<Hooked>>> ENDS_OF_ARRAY =
            List.of(NativeArray::close, NativeArray::share, NativeVec::from);

    /** A list that runs the hook in one of its methods. */
    private static final class Firing extends AbstractList<Hooked> {
        enum At {
            SIZE,
            ITERATOR,
            NEXT
        }

        private final List<Hooked> values = List.of(EIGHT, NINE);
        private final At at;

        Firing(At at) {
            this.at = at;
        }

        private void fire(At here) {
            if (here == at) {
                Hook.reach(Place.CALLBACK);
            }
        }

        @Override
        public Hooked get(int index) {
            fire(At.NEXT);
            return values.get(index);
        }

        @Override
        public int size() {
            fire(At.SIZE);
            return values.size();
        }

        @Override
        public Iterator<Hooked> iterator() {
            fire(At.ITERATOR);
            return super.iterator();
        }
    }

    @AfterEach
    void disarm() {
        Hook.armed = Hook::nothing;
    }

    @Test
    @DisplayName("Code that runs while an element is read cannot move the elements")
    void get_nestedConstructorRemovesElements_isRefused() {
        StructType<Outer> outer = StructType.of(MethodHandles.lookup(), Outer.class);
        try (NativeVec<Outer> vec = NativeVec.create(outer)) {
            for (long i = 0; i < 4; i++) {
                vec.add(new Outer(new Inner(i), i));
            }
            NativeSlice<Outer> slice = vec.slice(0, 3);
            Outer value = new Outer(new Inner(1), 1);
            for (Runnable access : List.<Runnable>of(() -> vec.get(1), () -> slice.get(1))) {
                Hook.place = Place.RECORD;
                Hook.armed = () -> vec.removeAt(0);
                assertThatExceptionOfType(ConcurrentModificationException.class)
                        .isThrownBy(access::run);
                assertThat(vec.get(1)).isEqualTo(value);
                assertThat(vec.size()).isEqualTo(4);
            }
        }
    }

    @Test
    @DisplayName("Code that runs while an element of a slice is written cannot move the elements")
    void setOfSlice_accessorRemovesElements_isRefused() {
        List<Hooked> two = List.of(EIGHT, NINE);
        try (NativeVec<Hooked> vec = NativeVec.copyOf(KernelAllocator.global(), HOOKED, two)) {
            NativeSlice<Hooked> slice = vec.slice(0, 2);
            Hook.place = Place.RECORD;
            Hook.armed = () -> vec.removeAt(0);
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(() -> slice.set(1, NINE));
            assertThat(vec.size()).isEqualTo(2);
        }
    }

    private static void see(Hooked element) {
        Hook.reach(Place.CALLBACK);
        assertThat(element).isNotNull();
    }

    private static Hooked same(Hooked element) {
        Hook.reach(Place.CALLBACK);
        return element;
    }

    private static int compare(Hooked one, Hooked other) {
        Hook.reach(Place.CALLBACK);
        return Comparator.comparingLong(Hooked::value).compare(one, other);
    }

    /** Six elements in order, with room for more or with none. */
    private static NativeVec<Hooked> vec(boolean roomy) {
        NativeVec<Hooked> vec = NativeVec.from(array());
        if (roomy) {
            vec.reserve(100);
        }
        return vec;
    }

    private static NativeArray<Hooked> array() {
        NativeArray<Hooked> array = NativeArray.zeroed(HOOKED, 6);
        for (int i = 0; i < 6; i++) {
            array.set(i, new Hooked(i));
        }
        return array;
    }

    private static List<Long> values(NativeVec<Hooked> vec) {
        return vec.stream().map(Hooked::value).toList();
    }

    /** Whether user code of either kind was called, and its change was refused. */
    private static boolean isRefused(Place place, Runnable operation, Runnable change) {
        boolean[] tried = {false};
        ConcurrentModificationException[] thrown = {null};
        Hook.place = place;
        Hook.armed =
                () -> {
                    tried[0] = true;
                    change.run();
                };
        try {
            operation.run();
        } catch (ConcurrentModificationException e) {
            thrown[0] = e;
        }
        Hook.armed = Hook::nothing;
        if (tried[0]) {
            assertThat(thrown[0]).isNotNull().hasMessageContaining("change refused");
        } else {
            assertThat(thrown[0]).isNull();
        }
        return tried[0];
    }

    @DisplayName("Code that a vec calls cannot change it, and no element is lost")
    @ParameterizedTest
    @EnumSource(OfVec.class)
    void vec_changedByCalledCode_refusesAndKeepsItsElements(OfVec of) {
        int refused = 0;
        for (Place place : Place.values()) {
            for (Consumer<NativeVec<Hooked>> change : CHANGES_OF_VEC) {
                for (boolean roomy : new boolean[] {false, true}) {
                    try (NativeVec<Hooked> vec = vec(roomy)) {
                        if (isRefused(
                                place, () -> of.operation.accept(vec), () -> change.accept(vec))) {
                            refused++;
                            assertThat(values(vec)).containsExactly(0L, 1L, 2L, 3L, 4L, 5L);
                            vec.add(NINE);
                            assertThat(values(vec)).containsExactly(0L, 1L, 2L, 3L, 4L, 5L, 9L);
                        }
                    }
                }
            }
        }
        assertThat(refused).isGreaterThanOrEqualTo(2 * CHANGES_OF_VEC.size());
    }

    @DisplayName("Code that a slice of a vec calls cannot change the vec")
    @ParameterizedTest
    @EnumSource(OfSlice.class)
    void sliceOfVec_changedByCalledCode_refusesAndKeepsItsElements(OfSlice of) {
        int refused = 0;
        for (Place place : Place.values()) {
            for (Consumer<NativeVec<Hooked>> change : CHANGES_OF_VEC) {
                try (NativeVec<Hooked> vec = vec(true)) {
                    if (isRefused(
                            place,
                            () -> of.operation.accept(vec.slice()),
                            () -> change.accept(vec))) {
                        refused++;
                        assertThat(values(vec)).containsExactlyInAnyOrder(0L, 1L, 2L, 3L, 4L, 5L);
                    }
                }
            }
        }
        assertThat(refused).isGreaterThanOrEqualTo(CHANGES_OF_VEC.size());
    }

    @DisplayName("Code that an array calls cannot end it, and no element is lost to the next owner")
    @ParameterizedTest
    @EnumSource(OfSlice.class)
    void array_endedByCalledCode_refusesAndKeepsItsElements(OfSlice of) {
        int refused = 0;
        for (Place place : Place.values()) {
            for (Consumer<NativeArray<Hooked>> end : ENDS_OF_ARRAY) {
                try (NativeArray<Hooked> array = array()) {
                    if (isRefused(
                            place, () -> of.operation.accept(array), () -> end.accept(array))) {
                        refused++;
                        assertThat(array.stream().map(Hooked::value))
                                .containsExactlyInAnyOrder(0L, 1L, 2L, 3L, 4L, 5L);
                    }
                }
            }
        }
        assertThat(refused).isGreaterThanOrEqualTo(ENDS_OF_ARRAY.size());
    }

    @DisplayName("Code that a lease calls cannot end it, and no element is lost to other leases")
    @ParameterizedTest
    @EnumSource(OfSlice.class)
    void lease_endedByCalledCode_refusesAndKeepsItsElements(OfSlice of) {
        int refused = 0;
        for (Place place : Place.values()) {
            SharedArray<Hooked> shared = array().share();
            try (ArrayLease<Hooked> lease = shared.lease();
                    ArrayLease<Hooked> other = shared.lease()) {
                if (isRefused(place, () -> of.operation.accept(lease), lease::close)) {
                    refused++;
                    assertThat(other.stream().map(Hooked::value))
                            .containsExactlyInAnyOrder(0L, 1L, 2L, 3L, 4L, 5L);
                }
            }
            shared.close();
        }
        assertThat(refused).isPositive();
    }

    @DisplayName("What writes one element of an array that its accessor closes meets dead memory")
    @Test
    void set_ofAnArrayThatTheAccessorCloses_throws() {
        NativeArray<Hooked> array = array();
        Hook.place = Place.RECORD;
        Hook.armed = array::close;
        assertThatIllegalStateException().isThrownBy(() -> array.set(2, NINE));
    }

    @DisplayName("An operation goes on where its code swallows the refusal")
    @Test
    void add_whoseAccessorSwallowsTheRefusal_addsTheElement() {
        try (NativeVec<Hooked> vec = vec(false)) {
            Hook.place = Place.RECORD;
            Hook.armed =
                    () ->
                            assertThatExceptionOfType(ConcurrentModificationException.class)
                                    .isThrownBy(() -> vec.add(EIGHT));
            vec.add(NINE);
            assertThat(values(vec)).containsExactly(0L, 1L, 2L, 3L, 4L, 5L, 9L);
        }
    }

    @DisplayName("Code that is called may read the vec and set its elements")
    @Test
    void vec_readAndSetByCalledCode_allowsIt() {
        try (NativeVec<Hooked> vec = vec(true)) {
            Hook.place = Place.CALLBACK;
            Hook.armed = () -> vec.set(0, new Hooked(vec.get(5).value() + vec.size()));
            vec.forEach(CalledCodeTest::see);
            assertThat(values(vec)).containsExactly(11L, 1L, 2L, 3L, 4L, 5L);
        }
    }

    @DisplayName("Iterators and streams of a vec notice at the next step that it has changed")
    @Test
    void iteration_ofAChangedVec_throwsAtTheNextStep() {
        List<Consumer<NativeVec<Hooked>>> iterations =
                List.of(
                        vec -> vec.stream().forEach(CalledCodeTest::see),
                        vec -> vec.stream().map(CalledCodeTest::same).toList(),
                        vec -> vec.stream().collect(Collectors.groupingBy(CalledCodeTest::same)),
                        vec -> vec.iterator().forEachRemaining(CalledCodeTest::see),
                        vec -> vec.spliterator().forEachRemaining(CalledCodeTest::see),
                        vec -> {
                            for (Hooked each : vec) {
                                see(each);
                            }
                        });
        for (Consumer<NativeVec<Hooked>> iteration : iterations) {
            try (NativeVec<Hooked> vec = vec(true)) {
                Hook.place = Place.CALLBACK;
                Hook.armed = () -> vec.add(NINE);
                assertThatExceptionOfType(ConcurrentModificationException.class)
                        .isThrownBy(() -> iteration.accept(vec));
                assertThat(values(vec)).containsExactly(0L, 1L, 2L, 3L, 4L, 5L, 9L);
            }
        }
    }

    @DisplayName("Views of a vec's own elements are added before they end")
    @Test
    void addAll_ofOwnViewsWhileItMoves_addsThem() {
        try (NativeVec<Cell> vec = NativeVec.create(CELL);
                NativeArray<Cell> five = NativeArray.zeroed(CELL, 5)) {
            for (int i = 0; i < 5; i++) {
                five.view(i).value(i);
            }
            vec.addAll(five);
            vec.shrinkToFit();
            List<Cell> own = new ArrayList<>();
            vec.forEach(own::add);
            for (int times = 5; times < 5000; times *= 2) {
                vec.addAll(times == 5 ? own : vec.slice().asList());
            }
            assertThat(vec.size()).isEqualTo(5120);
            for (int i = 0; i < vec.size(); i++) {
                assertThat(vec.get(i).value()).isEqualTo(i % 5);
            }
        }
    }

    @DisplayName("A record that cannot be made from its bytes is not removed")
    @Test
    void remove_ofAnElementWhoseConstructorThrows_changesNothing() {
        List<Consumer<NativeVec<Hooked>>> removals =
                List.of(NativeVec::removeLast, vec -> vec.removeAt(1), vec -> vec.swapRemove(1));
        for (Consumer<NativeVec<Hooked>> removal : removals) {
            try (NativeVec<Hooked> vec = vec(true)) {
                Hook.place = Place.RECORD;
                Hook.armed =
                        () -> {
                            throw new ArithmeticException();
                        };
                assertThatExceptionOfType(ArithmeticException.class)
                        .isThrownBy(() -> removal.accept(vec));
                assertThat(values(vec)).containsExactly(0L, 1L, 2L, 3L, 4L, 5L);
            }
        }
    }

    @DisplayName("A pressure listener cannot add to the vec that grows, but may close it")
    @Test
    void grow_withAListenerThatChangesTheVec_refusesTheChange() {
        List<NativeVec<Hooked>> growing = new ArrayList<>();
        List<Throwable> refusals = new ArrayList<>();
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .limit(4 << 20)
                        .onPressure(
                                _ -> {
                                    try {
                                        growing.getFirst().add(EIGHT);
                                    } catch (ConcurrentModificationException e) {
                                        refusals.add(e);
                                    }
                                })
                        .build()) {
            try (NativeVec<Hooked> vec = NativeVec.create(pool, HOOKED)) {
                growing.add(vec);
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(
                                () -> {
                                    while (true) {
                                        vec.add(NINE);
                                    }
                                });
                assertThat(refusals).isNotEmpty();
                assertThat(vec.size()).isEqualTo(vec.capacity());
                assertThat(vec.stream().allMatch(NINE::equals)).isTrue();
            }
        }
    }
}
