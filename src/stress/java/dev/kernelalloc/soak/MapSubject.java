package dev.kernelalloc.soak;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.map.MapLease;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A {@link NativeMap} beside a {@code HashMap} of the numbers of its values. */
final class MapSubject<T> implements Subject {

    private static final int MOST_ENTRIES = 3000;
    private static final int KEYS = 5000;

    private final Elements<T> elements;
    private final Map<Long, Integer> model = new HashMap<>();
    private NativeMap<T> map;

    MapSubject(KernelAllocator allocator, Elements<T> elements, Random random) {
        this.elements = elements;
        this.map =
                random.nextBoolean()
                        ? NativeMap.create(allocator, elements.type)
                        : NativeMap.withCapacity(
                                allocator, elements.type, random.nextInt(MOST_ENTRIES));
    }

    /** A step that throws {@code AllocationException} leaves map and model unchanged. */
    @Override
    public String step(Random random) throws Exception {
        long key = (long) random.nextInt(KEYS) << random.nextInt(50);
        int number = random.nextInt();
        switch (model.size() > MOST_ENTRIES ? 5 : random.nextInt(10)) {
            case 0, 1, 2 -> {
                for (int i = random.nextInt(200); i >= 0; i--) {
                    put(key + i * 64L, number + i);
                }
                return "put";
            }
            case 3 -> {
                for (Long some : List.copyOf(model.keySet())) {
                    if (random.nextInt(4) == 0) {
                        model.remove(some);
                        Mismatch.require(map.remove(some), "a key is removed");
                    }
                }
                return "remove";
            }
            case 4 -> {
                Mismatch.requireEqual(
                        model.replace(key, number) != null,
                        map.replace(key, elements.of(number, 0)),
                        "replace");
                return "replace";
            }
            case 5 -> {
                int rest = random.nextInt(2);
                Mismatch.requireEqual(
                        model.values().removeIf(n -> Math.floorMod(n, 2) == rest),
                        map.removeIf((_, e) -> Math.floorMod(elements.number(e), 2) == rest),
                        "removeIf");
                return "removeIf";
            }
            case 6 -> {
                int additional = random.nextInt(MOST_ENTRIES);
                map.reserve(additional);
                Mismatch.require(
                        map.capacity() >= model.size() + additional, "the capacity is reserved");
                return "reserve " + additional;
            }
            case 7 -> {
                map.shrinkToFit();
                return "shrinkToFit";
            }
            case 8 -> {
                shared();
                return "shared";
            }
            default -> {
                if (random.nextInt(8) == 0) {
                    map.clear();
                    model.clear();
                    return "clear";
                }
                own(key);
                return "a value of its own";
            }
        }
    }

    private void put(long key, int number) {
        boolean added = map.put(key, elements.of(number, 0));
        Mismatch.requireEqual(model.put(key, number) == null, added, "whether a key was added");
    }

    /** The view that is put ends, where the map must grow for it. */
    private void own(long key) {
        for (Long some : model.keySet()) {
            map.put(~key, map.get(some));
            model.put(~key, model.get(some));
            return;
        }
    }

    private void shared() throws Exception {
        SharedMap<T> shared = map.share();
        try (MapLease<T> lease = shared.lease()) {
            Mismatch.requireThrown(
                    IllegalStateException.class, "attach with a lease", shared::attach);
            lease.forEach(
                    (key, e) ->
                            Mismatch.requireEqual(
                                    model.get(key), elements.number(e), "under a lease"));
        }
        map = shared.attach();
    }

    @Override
    public void check() {
        Mismatch.requireEqual((long) model.size(), map.size(), "the size of a map");
        model.forEach(
                (key, number) ->
                        Mismatch.requireEqual(
                                number, elements.number(map.get(key)), "get(" + key + ")"));
        Mismatch.requireEqual((long) model.size(), map.keys().distinct().count(), "by keys");
    }

    @Override
    public void close() throws Exception {
        map.close();
        Mismatch.requireThrown(IllegalStateException.class, "close twice", map::close);
        Mismatch.requireThrown(IllegalStateException.class, "get when closed", () -> map.get(1));
        elements.close();
    }
}
