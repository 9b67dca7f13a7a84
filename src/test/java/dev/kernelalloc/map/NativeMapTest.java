package dev.kernelalloc.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Pressure;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.struct.StructView;
import dev.kernelalloc.testing.HeldByC;
import dev.kernelalloc.testing.Workers;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.ConcurrentModificationException;
import java.util.List;
import java.util.PrimitiveIterator;
import java.util.function.Consumer;
import java.util.stream.LongStream;

class NativeMapTest {

    /** Calls code of the test when it is written. */
    record Hooked(long value) {
        private static Runnable armed = Hooked::nothing;

        private static void nothing() {}

        @Override
        public long value() {
            Runnable once = armed;
            armed = Hooked::nothing;
            once.run();
            return value;
        }
    }

    /** A record with code that runs while a record around it is read. */
    record Nested(long value) {
        private static Runnable armed = Hooked::nothing;

        Nested {
            Runnable once = armed;
            armed = Hooked::nothing;
            once.run();
        }
    }

    record Outer(Nested nested, long value) {}

    interface Cell {
        long value();

        void value(long value);
    }

    interface Growing {
        int length();

        @Flexible
        byte tail(long index);
    }

    private static final StructType<Hooked> HOOKED =
            StructType.of(MethodHandles.lookup(), Hooked.class);
    private static final StructType<Cell> CELL = StructType.of(MethodHandles.lookup(), Cell.class);

    private final NativeMap<Hooked> records = NativeMap.create(HOOKED);
    private final NativeMap<Cell> views = NativeMap.create(CELL);
    private boolean closed;

    NativeMapTest() {
        for (long key = 0; key < 3; key++) {
            records.put(key, new Hooked(key * 10));
            views.getOrAdd(key).value(key * 10);
        }
    }

    @AfterEach
    void close() {
        Hooked.armed = Hooked::nothing;
        if (!closed) {
            records.close();
            views.close();
        }
    }

    private void closeBoth() {
        closed = true;
        records.close();
        views.close();
    }

    // ---- views ----------------------------------------------------------------------------------

    /** The calls that change keys. */
    enum Change {
        ADD(map -> map.getOrAdd(77)),
        REMOVE(map -> map.remove(1)),
        REMOVE_ANOTHER(map -> map.remove(2)),
        REMOVE_IF(map -> map.removeIf((key, _) -> key == 1)),
        CLEAR(NativeMap::clear),
        GROW(map -> map.reserve(100)),
        SHRINK(map -> map.shrinkToFit()),
        SHARE(map -> map.share().close());

        private final Consumer<NativeMap<Cell>> change;

        Change(Consumer<NativeMap<Cell>> change) {
            this.change = change;
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("A view ends with every change of keys, and never reaches the value of another")
    void view_keysChange_isDead(Change change) {
        views.reserve(20);
        Cell before = views.get(1);
        assertThat(before.value()).isEqualTo(10);
        change.change.accept(views);
        assertThatIllegalStateException().isThrownBy(before::value);
        assertThatIllegalStateException().isThrownBy(() -> before.value(5));
    }

    @Test
    @DisplayName("A view survives changes of values, and shows them")
    void view_valuesChange_isLive() {
        Cell cell = views.get(1);
        views.replace(1, views.get(2));
        assertThat(cell.value()).isEqualTo(20);
        views.put(1, views.get(0));
        assertThat(cell.value()).isZero();
        views.update(1, value -> value);
        assertThat(views.remove(99)).isFalse();
        assertThat(cell.value()).isZero();
    }

    @Test
    @DisplayName("A slice of a bare layout has the bounds of the value and the life of a view")
    void get_bareLayout_isASliceOfTheValueAlone() {
        try (NativeMap<MemorySegment> map = NativeMap.create(StructType.of(ValueLayout.JAVA_INT))) {
            MemorySegment slice = map.getOrAdd(1);
            assertThat(slice.byteSize()).isEqualTo(Integer.BYTES);
            slice.set(ValueLayout.JAVA_INT, 0, 7);
            map.getOrAdd(2);
            assertThatIllegalStateException().isThrownBy(() -> slice.get(ValueLayout.JAVA_INT, 0));
            assertThat(map.get(1).get(ValueLayout.JAVA_INT, 0)).isEqualTo(7);
        }
    }

    // ---- the end --------------------------------------------------------------------------------

    @Test
    @DisplayName("Nothing reaches the memory of a closed map")
    void everything_afterClose_throws() {
        Cell cell = views.get(1);
        PrimitiveIterator.OfLong keys = views.keys().iterator();
        closeBoth();
        List<Runnable> uses =
                List.of(
                        cell::value,
                        keys::nextLong,
                        () -> views.get(1),
                        () -> views.get(99),
                        () -> views.containsKey(1),
                        () -> views.getOrAdd(1),
                        () -> views.forEach((_, _) -> {}),
                        () -> views.removeIf((_, _) -> true),
                        views::keys,
                        () -> views.remove(1),
                        () -> views.update(1, value -> value),
                        views::clear,
                        () -> views.reserve(100),
                        () -> views.reserve(0),
                        views::shrinkToFit,
                        views::share,
                        views::close,
                        () -> records.get(1),
                        () -> records.put(1, new Hooked(1)),
                        () -> records.put(99, new Hooked(1)),
                        () -> records.replace(1, new Hooked(1)));
        for (Runnable use : uses) {
            assertThatIllegalStateException().isThrownBy(use::run);
        }
        assertThat(views.toString()).startsWith("NativeMap<Cell>[closed, was at 0x");
    }

    @Test
    @DisplayName("A map belongs to its thread")
    void everything_onAnotherThread_throws() {
        Cell cell = views.get(1);
        List<Runnable> uses =
                List.of(
                        cell::value,
                        () -> views.get(1),
                        () -> views.getOrAdd(1),
                        () -> views.getOrAdd(77),
                        () -> views.forEach((_, _) -> {}),
                        () -> views.removeIf((_, _) -> true),
                        () -> views.remove(1),
                        views::keys,
                        views::clear,
                        () -> views.reserve(100),
                        views::shrinkToFit,
                        views::share,
                        views::close,
                        () -> records.get(1),
                        () -> records.put(77, new Hooked(1)),
                        records::clear,
                        records::close);
        try (Workers workers = new Workers()) {
            workers.run(
                    Workers.MORTAL,
                    () -> {
                        for (Runnable use : uses) {
                            assertThatExceptionOfType(WrongThreadException.class)
                                    .isThrownBy(use::run);
                        }
                        assertThat(views.toString()).startsWith("NativeMap<Cell>[of another");
                    });
        }
        assertThat(cell.value()).isEqualTo(10);
    }

    @Test
    @DisplayName("A map that is never closed is reported as a live block")
    void close_forgotten_isReported() {
        PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build();
        NativeMap<Cell> forgotten = NativeMap.create(pool, CELL);
        assertThatExceptionOfType(LiveBlocksException.class)
                .isThrownBy(pool::close)
                .withMessageContaining("1 × array, vec or string");
        forgotten.close();
    }

    @Test
    @DisplayName("While C code uses a view, keys stay as they are; nothing has changed then")
    void view_heldByC_refusesChanges() {
        MemorySegment held = ((StructView) views.get(1)).asSegment();
        HeldByC.during(
                held,
                () -> {
                    for (Runnable change :
                            List.<Runnable>of(
                                    () -> views.getOrAdd(77),
                                    () -> views.remove(1),
                                    () -> views.removeIf((_, _) -> true),
                                    () -> views.reserve(1000),
                                    views::shrinkToFit,
                                    views::clear,
                                    views::share,
                                    views::close)) {
                        assertThatIllegalStateException().isThrownBy(change::run);
                    }
                });
        views.table.checkInvariants(3);
        assertThat(views.get(1).value()).isEqualTo(10);
    }

    // ---- code called by a map -------------------------------------------------------------------

    /** The calls that code called by a map tries. */
    enum Attack {
        ADD(map -> map.put(99, new Hooked(1))),
        REMOVE(map -> map.remove(0)),
        REMOVE_IF(map -> map.removeIf((_, _) -> true)),
        CLEAR(NativeMap::clear),
        GROW(map -> map.reserve(1000)),
        SHRINK(NativeMap::shrinkToFit),
        SHARE(NativeMap::share),
        CLOSE(NativeMap::close);

        private final Consumer<NativeMap<Hooked>> attack;

        Attack(Consumer<NativeMap<Hooked>> attack) {
            this.attack = attack;
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("Code that a map calls cannot change its keys or end it; nothing has changed then")
    void calledCode_changesKeys_isRefused(Attack attack) {
        List<Runnable> operations =
                List.of(
                        () -> records.put(1, new Hooked(11)),
                        () -> records.put(7, new Hooked(70)),
                        () -> records.replace(1, new Hooked(11)),
                        () -> records.update(1, _ -> new Hooked(11)),
                        () -> records.update(1, old -> run(attack, old)),
                        () -> records.forEach((_, value) -> run(attack, value)),
                        () -> records.removeIf((_, value) -> run(attack, value) == null));
        for (Runnable operation : operations) {
            Hooked.armed = () -> attack.attack.accept(records);
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(operation::run);
            Hooked.armed = Hooked::nothing;
            records.table.checkInvariants(3);
            for (long key = 0; key < 3; key++) {
                assertThat(records.get(key)).isEqualTo(new Hooked(key * 10));
            }
        }
    }

    @Test
    @DisplayName("Code that runs while a value is read cannot change the keys, or end the map")
    void get_nestedConstructorChangesKeys_isRefused() {
        StructType<Outer> outer = StructType.of(MethodHandles.lookup(), Outer.class);
        try (NativeMap<Outer> map = NativeMap.create(outer)) {
            for (long key = 0; key < 4; key++) {
                map.put(key, new Outer(new Nested(key), key));
            }
            List<Runnable> changes =
                    List.of(
                            () -> map.remove(0),
                            () -> map.put(9, new Outer(new Nested(9), 9)),
                            () -> map.reserve(1000),
                            map::clear,
                            map::close,
                            map::share);
            for (Runnable change : changes) {
                Nested.armed = change;
                assertThatExceptionOfType(ConcurrentModificationException.class)
                        .isThrownBy(() -> map.get(1));
                for (long key = 0; key < 4; key++) {
                    assertThat(map.get(key)).isEqualTo(new Outer(new Nested(key), key));
                }
            }
        }
    }

    private Hooked run(Attack attack, Hooked value) {
        attack.attack.accept(records);
        return value;
    }

    @Test
    @DisplayName("Code that a map calls may read it, and set values of its keys")
    void calledCode_setsValues_isAllowed() {
        Hooked.armed = () -> records.put(2, new Hooked(records.get(1).value() + 5));
        records.put(7, new Hooked(70));
        assertThat(records.get(2)).isEqualTo(new Hooked(15));
        assertThat(records.get(7)).isEqualTo(new Hooked(70));
        records.table.checkInvariants(4);
    }

    @Test
    @DisplayName("A removal whose condition throws has removed what it accepted before")
    void removeIf_conditionThrows_keepsTheRest() {
        List<Long> accepted = new ArrayList<>();
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                views.removeIf(
                                        (key, _) -> {
                                            if (accepted.size() == 2) {
                                                throw new IllegalArgumentException();
                                            }
                                            return accepted.add(key);
                                        }));
        assertThat(views.size()).isEqualTo(1);
        assertThat(accepted).noneMatch(views::containsKey);
        views.table.checkInvariants(1);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "SHARE") // ends the map
    @DisplayName("A stream of keys detects that entries have moved")
    void keys_changedInBetween_failFast(Change change) {
        views.reserve(20);
        PrimitiveIterator.OfLong keys = views.keys().iterator();
        LongStream other = views.keys();
        keys.nextLong();
        change.change.accept(views);
        assertThatExceptionOfType(ConcurrentModificationException.class).isThrownBy(other::count);
        assertThatExceptionOfType(ConcurrentModificationException.class).isThrownBy(keys::nextLong);
    }

    // ---- memory ---------------------------------------------------------------------------------

    @Test
    @DisplayName("A refusal in the middle of growth loses no entry")
    void put_limitReached_changesNothing() {
        try (PoolAllocator pool = PoolAllocator.builder().limit(1 << 20).build();
                NativeMap<Hooked> map = NativeMap.create(pool, HOOKED)) {
            long refused = fill(map);
            map.table.checkInvariants(refused);
            for (long key = 0; key < refused; key++) {
                assertThat(map.get(key)).isEqualTo(new Hooked(key));
            }
            assertThat(map.containsKey(refused)).isFalse();
            assertThat(map.remove(0)).isTrue();
            assertThat(map.put(refused, new Hooked(1))).isTrue();
            map.table.checkInvariants(refused);
        }
    }

    /** Adds keys from 0 on, up to the first that is refused. */
    private static long fill(NativeMap<Hooked> map) {
        try {
            for (long key = 0; ; key++) {
                map.put(key, new Hooked(key));
            }
        } catch (AllocationException e) {
            assertThat(e.reason()).isEqualTo(AllocationException.Reason.LIMIT);
            return map.size();
        }
    }

    @Test
    @DisplayName("A pressure listener may read the map that grows; its views end with the growth")
    void put_listenerUsesTheMap_neitherChangesNorKeepsIt() {
        List<NativeMap<Cell>> growing = new ArrayList<>();
        List<Cell> seen = new ArrayList<>();
        List<RuntimeException> refused = new ArrayList<>();
        Consumer<Pressure> listener =
                _ -> {
                    NativeMap<Cell> map = growing.getFirst();
                    seen.add(map.get(0));
                    for (Runnable attempt :
                            List.<Runnable>of(
                                    map::close, map::clear, map::share, () -> map.getOrAdd(-1))) {
                        try {
                            attempt.run();
                        } catch (ConcurrentModificationException e) {
                            refused.add(e);
                        }
                    }
                };
        PoolAllocator[] raised = new PoolAllocator[1];
        try (PoolAllocator pool =
                        PoolAllocator.builder()
                                .limit(1 << 20)
                                .onPressure(listener)
                                .onPressure(_ -> raised[0].limit(16 << 20))
                                .build();
                NativeMap<Cell> map = NativeMap.create(pool, CELL)) {
            raised[0] = pool;
            growing.add(map);
            for (long key = 0; seen.isEmpty(); key++) {
                map.getOrAdd(key).value(key);
            }
            assertThat(refused).hasSize(4);
            assertThatIllegalStateException().isThrownBy(seen.getFirst()::value);
            map.table.checkInvariants(map.size());
            map.forEach((key, cell) -> assertThat(cell.value()).isEqualTo(key));
        }
    }

    @Test
    @DisplayName("A key whose hash marks an empty slot is stored under another seed")
    void put_keyThatTheSeedRefuses_isStored() {
        for (int i = 0; i < 10; i++) {
            long key = records.table.key(LongTable.EMPTY);
            assertThat(records.containsKey(key)).isFalse();
            assertThat(records.put(key, new Hooked(5))).isTrue();
            assertThat(records.get(key)).isEqualTo(new Hooked(5));
        }
        records.table.checkInvariants(13);
    }

    @Test
    @DisplayName("A cluster at the end of the table gets other hashes, and loses nothing")
    void put_clusterAtTheEnd_isHashedAgain() {
        List<Long> keys = new ArrayList<>();
        records.reserve(10_000);
        for (long hash = 1; hash <= 1000; hash++) {
            long key = records.table.key(hash);
            keys.add(key);
            records.put(key, new Hooked(hash));
        }
        assertThat(keys).allMatch(records::containsKey);
        records.table.checkInvariants(records.size());
    }

    @Test
    @DisplayName("Removals leave no trace: a table in steady exchange stays as fast and as large")
    void removeAndPut_manyTimes_keepsSearchesShort() {
        records.reserve(997);
        long capacity = records.capacity();
        for (long key = 3; key < 1000; key++) {
            records.put(key, new Hooked(key));
        }
        for (long key = 1000; key < 100_000; key++) {
            records.remove(key - 1000);
            records.put(key, new Hooked(key));
        }
        assertThat(records.capacity()).isEqualTo(capacity);
        records.table.checkInvariants(1000);
        long probes = 0;
        for (long key = 100_000; key < 101_000; key++) {
            probes += records.table.probes(key); // of keys that are not in the map
        }
        assertThat(probes).isLessThan(20_000);
    }

    @Test
    @DisplayName("Sizes that cannot be are refused with their values")
    void create_impossibleSizes_areRefused() {
        for (long capacity : new long[] {-1, Long.MAX_VALUE, Long.MAX_VALUE / 5, 1L << 60}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> NativeMap.withCapacity(PoolAllocator.shared(), CELL, capacity))
                    .withMessageStartingWith("capacity=%d is negative or too large", capacity);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> records.reserve(-1))
                .withMessage("additional=-1 is negative");
        for (long additional : new long[] {Long.MAX_VALUE, 1L << 60}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> records.reserve(additional))
                    .withMessageStartingWith("additional=%d with size=3 is too large", additional);
        }
        StructType<Growing> growing = StructType.of(MethodHandles.lookup(), Growing.class);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeMap.create(growing))
                .withMessageContaining("flexible");
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(() -> records.getOrAdd(1))
                .withMessageContaining("put or update");
    }

    @Test
    @DisplayName("Values that have no bytes are kept as keys alone")
    void put_valueWithoutSize_isASet() {
        StructType<MemorySegment> nothing = StructType.of(MemoryLayout.structLayout());
        try (NativeMap<MemorySegment> set = NativeMap.create(nothing)) {
            for (long key = 0; key < 100; key++) {
                assertThat(set.getOrAdd(key % 50).byteSize()).isZero();
            }
            assertThat(set.size()).isEqualTo(50);
        }
    }
}
