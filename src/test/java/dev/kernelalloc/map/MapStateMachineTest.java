package dev.kernelalloc.map;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

import java.lang.invoke.MethodHandles;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Random uses of a map of records and one of views, beside a {@code HashMap}. */
class MapStateMachineTest {

    /** A value of 12 bytes, so that slots have padding. */
    record Value(int a, int b, int c) {
        static Value of(int number) {
            return new Value(number, ~number, number * 3);
        }
    }

    interface Cell {
        int a();

        void a(int value);

        long b();

        void b(long value);
    }

    private static final StructType<Value> VALUE =
            StructType.of(MethodHandles.lookup(), Value.class);
    private static final StructType<Cell> CELL = StructType.of(MethodHandles.lookup(), Cell.class);

    enum Memory {
        POOL(PoolAllocator::create),
        HARDENED(() -> PoolAllocator.builder().hardened(true).build()),
        UNCACHED(() -> PoolAllocator.builder().cacheBytes(0, 0).build()),
        PHYSICAL(PhysicalAllocator::create);

        private final Supplier<KernelAllocator> make;

        Memory(Supplier<KernelAllocator> make) {
            this.make = make;
        }
    }

    enum Kind {
        PUT,
        PUT_MANY,
        PUT_OWN,
        REPLACE,
        UPDATE,
        GET_OR_ADD,
        REMOVE,
        REMOVE_MANY,
        REMOVE_IF,
        CLEAR,
        RESERVE,
        SHRINK,
        REFUSED_KEY,
        SHARE
    }

    record Step(Kind kind, long key, int number) {}

    @Property
    void aMapDoesWhatAHashMapDoes(@ForAll Memory memory, @ForAll("histories") List<Step> history) {
        try (KernelAllocator allocator = memory.make.get()) { // its close counts live blocks
            Maps maps = new Maps(allocator);
            for (Step step : history) {
                maps.perform(step);
                maps.check();
            }
            maps.records.close();
            maps.views.close();
        }
    }

    @Provide
    Arbitrary<List<Step>> histories() {
        Arbitrary<Kind> kinds =
                Arbitraries.oneOf(
                        Arbitraries.of(Kind.class),
                        Arbitraries.of(Kind.PUT, Kind.PUT_MANY, Kind.REMOVE, Kind.REMOVE_MANY));
        Arbitrary<Long> keys =
                Arbitraries.oneOf(Arbitraries.longs(), Arbitraries.longs().between(-20, 20));
        return Combinators.combine(kinds, keys, Arbitraries.integers().between(0, 500))
                .as(Step::new)
                .list()
                .ofMaxSize(50);
    }

    /** The same entries three times. */
    private static final class Maps {

        private final Map<Long, Integer> model = new HashMap<>();
        private NativeMap<Value> records;
        private NativeMap<Cell> views;

        Maps(KernelAllocator allocator) {
            records = NativeMap.create(allocator, VALUE);
            views = NativeMap.withCapacity(allocator, CELL, 0);
        }

        void perform(Step step) {
            long key = step.key;
            int number = step.number;
            switch (step.kind) {
                case PUT -> put(key, number);
                case PUT_MANY -> {
                    for (int i = 0; i < number; i++) {
                        put(key + i * 977L, number + i);
                    }
                }
                case PUT_OWN -> putOwn(key, number);
                case REPLACE -> {
                    boolean present = model.replace(key, number) != null;
                    assertThat(records.replace(key, Value.of(number))).isEqualTo(present);
                    Cell cell = views.get(key);
                    assertThat(cell != null).isEqualTo(present);
                    if (cell != null) {
                        write(cell, number);
                    }
                }
                case UPDATE -> {
                    boolean present = model.computeIfPresent(key, (_, old) -> old + 1) != null;
                    assertThat(records.update(key, old -> Value.of(old.a() + 1)))
                            .isEqualTo(present);
                    assertThat(views.update(key, cell -> write(cell, cell.a() + 1)))
                            .isEqualTo(present);
                }
                case GET_OR_ADD -> {
                    boolean added = model.putIfAbsent(key, 0) == null;
                    Cell cell = views.getOrAdd(key);
                    if (added) {
                        assertThat(cell.a()).isZero();
                        assertThat(cell.b()).isZero();
                        write(cell, 0);
                        assertThat(records.put(key, Value.of(0))).isTrue();
                    }
                }
                case REMOVE -> remove(key);
                case REMOVE_MANY -> {
                    for (Long some : List.copyOf(model.keySet())) {
                        if (Math.floorMod(some, 3) == number % 3) {
                            remove(some);
                        }
                    }
                }
                case REMOVE_IF -> {
                    int rest = number % 5;
                    boolean removed = model.values().removeIf(a -> a % 5 == rest);
                    assertThat(records.removeIf((_, value) -> value.a() % 5 == rest))
                            .isEqualTo(removed);
                    assertThat(views.removeIf((_, cell) -> cell.a() % 5 == rest))
                            .isEqualTo(removed);
                }
                case CLEAR -> {
                    model.clear();
                    records.clear();
                    views.clear();
                }
                case RESERVE -> {
                    records.reserve(number);
                    views.reserve(number);
                    assertThat(records.capacity())
                            .isGreaterThanOrEqualTo(model.size() + (long) number);
                }
                case SHRINK -> {
                    records.shrinkToFit();
                    views.shrinkToFit();
                }
                case REFUSED_KEY -> {
                    put(records.table.key(LongTable.EMPTY), number);
                    put(views.table.key(LongTable.EMPTY), number);
                }
                case SHARE -> share(number);
                default -> throw new AssertionError(step);
            }
        }

        private void put(long key, int number) {
            boolean added = model.put(key, number) == null;
            assertThat(records.put(key, Value.of(number))).isEqualTo(added);
            if (number % 2 == 0) {
                write(views.getOrAdd(key), number);
            } else {
                try (NativeMap<Cell> one = NativeMap.create(CELL)) {
                    write(one.getOrAdd(1), number);
                    assertThat(views.put(key, one.getOrAdd(1))).isEqualTo(added);
                }
            }
        }

        /** The view that is put ends with the growth that the put may need. */
        private void putOwn(long key, int number) {
            put(key, number);
            long other = ~key;
            model.put(other, number);
            views.put(other, views.getOrAdd(key));
            records.put(other, records.get(key));
        }

        private void remove(long key) {
            boolean present = model.remove(key) != null;
            assertThat(records.remove(key)).isEqualTo(present);
            assertThat(views.remove(key)).isEqualTo(present);
        }

        private void share(int number) {
            SharedMap<Value> shared = records.share();
            records.close(); // does nothing
            try (MapLease<Value> lease = shared.lease()) {
                check(lease);
                for (Map.Entry<Long, Integer> entry : model.entrySet()) {
                    entry.setValue(number);
                    assertThat(lease.replace(entry.getKey(), Value.of(number))).isTrue();
                    assertThat(views.update(entry.getKey(), cell -> write(cell, number))).isTrue();
                }
                check(lease);
            }
            records = shared.attach();
        }

        private static Cell write(Cell cell, int number) {
            cell.a(number);
            cell.b(~(long) number);
            return cell;
        }

        void check() {
            records.table.checkInvariants(model.size());
            views.table.checkInvariants(model.size());
            check(records);
            assertThat(views.size()).isEqualTo(model.size());
            assertThat(views.keys().boxed()).containsExactlyInAnyOrderElementsOf(model.keySet());
            model.forEach(
                    (key, number) -> {
                        Cell cell = views.get(key);
                        assertThat(cell.a()).isEqualTo(number);
                        assertThat(cell.b()).isEqualTo(~(long) number);
                    });
        }

        private void check(MapEntries<Value> entries) {
            assertThat(entries.size()).isEqualTo(model.size());
            assertThat(entries.isEmpty()).isEqualTo(model.isEmpty());
            Map<Long, Integer> seen = new HashMap<>();
            entries.forEach(
                    (key, value) -> {
                        assertThat(value).isEqualTo(Value.of(value.a()));
                        assertThat(seen.put(key, value.a())).isNull();
                    });
            assertThat(seen).isEqualTo(model);
            for (long key = -20; key <= 20; key++) {
                assertThat(entries.containsKey(key)).isEqualTo(model.containsKey(key));
                assertThat(entries.get(key) != null).isEqualTo(model.containsKey(key));
            }
        }
    }
}
