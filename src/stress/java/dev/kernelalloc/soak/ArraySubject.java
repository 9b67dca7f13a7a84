package dev.kernelalloc.soak;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.SharedArray;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/** A {@link NativeArray} and slices of it beside an {@code ArrayList} of its elements' numbers. */
final class ArraySubject<T> implements Subject {

    private static final int MOST_ELEMENTS = 2000;

    private final KernelAllocator allocator;
    private final Elements<T> elements;
    private final List<Integer> model = new ArrayList<>();
    private NativeArray<T> array;

    /** The elements of the present array. */
    private final List<Part<T>> parts = new ArrayList<>();

    private record Part<T>(NativeSlice<T> slice, int from, int to) {

        @Override
        public String toString() {
            return from + " to " + to;
        }
    }

    ArraySubject(KernelAllocator allocator, Elements<T> elements, Random random) {
        this.allocator = allocator;
        this.elements = elements;
        int length = random.nextInt(random.nextInt(MOST_ELEMENTS) + 1);
        this.array = NativeArray.uninitialized(allocator, elements.type, length);
        for (int i = 0; i < length; i++) {
            int number = random.nextInt();
            array.set(i, elements.of(number, 0));
            model.add(number);
        }
    }

    @Override
    public String step(Random random) throws Exception {
        int length = model.size();
        int number = random.nextInt();
        Part<T> part = part(random);
        NativeSlice<T> slice = part.slice;
        List<Integer> numbers = model.subList(part.from, part.to);
        int count = numbers.size();
        int index = length == 0 ? -1 : random.nextInt(length);
        int other = length == 0 ? -1 : random.nextInt(length);
        int kind = random.nextInt(index < 0 ? 12 : 16);
        switch (kind) {
            case 0 -> {
                slice.reverse();
                Collections.reverse(numbers);
                return "reverse " + part;
            }
            case 1 -> {
                slice.fill(elements.of(number, 0));
                Collections.fill(numbers, number);
                return "fill " + part;
            }
            case 2 -> {
                slice.sort(Comparator.comparing(e -> elements.number(e) % 50));
                numbers.sort(Comparator.comparing(n -> n % 50));
                return "sort " + part;
            }
            case 3 -> {
                slice.sortByLong(elements::number);
                numbers.sort(null);
                searched(slice, numbers, random);
                return "sortByLong and search " + part;
            }
            case 4 -> {
                int place = random.nextInt(length - count + 1);
                List<Integer> copied = List.copyOf(numbers);
                array.slice(place, place + count).copyFrom(slice);
                for (int i = 0; i < count; i++) {
                    model.set(place + i, copied.get(i));
                }
                return "copyFrom %s to %d".formatted(part, place);
            }
            case 5 -> {
                throughSegment(slice, numbers, random);
                return "copyTo and copyFrom of bytes " + part;
            }
            case 6 -> {
                requireSame(numbers, slice.asList().stream().map(elements::number).toList());
                return "asList " + part;
            }
            case 7 -> {
                NativeArray<T> copy = NativeArray.copyOf(allocator, array);
                exchange(copy, true);
                return "copyOf";
            }
            case 8 -> {
                shared();
                return "share and attach";
            }
            case 9 -> {
                NativeVec<T> vec = NativeVec.from(array);
                exchange(vec.intoArray(), false);
                return "a vec and back";
            }
            case 10 -> {
                parts.add(part(random));
                return "slice";
            }
            case 11 -> {
                Mismatch.requireThrown(
                        IndexOutOfBoundsException.class, "get behind", () -> array.get(length));
                Mismatch.requireThrown(
                        IndexOutOfBoundsException.class,
                        "slice behind",
                        () -> array.slice(0, length + 1));
                return "out of bounds";
            }
            case 12 -> {
                array.set(index, elements.of(number, 0));
                model.set(index, number);
                return "set";
            }
            case 13 -> {
                array.swap(index, other);
                Collections.swap(model, index, other);
                return "swap";
            }
            case 14 -> {
                if (elements.areCopies()) {
                    array.update(index, e -> elements.of(elements.number(e) + 1, 0));
                    model.set(index, model.get(index) + 1);
                }
                return "update";
            }
            default -> {
                if (elements.areCopies()) {
                    T before = array.asList().set(index, elements.of(number, 0));
                    requireSame(
                            List.of(model.set(index, number)), List.of(elements.number(before)));
                } else {
                    // A copy to itself: the source is the target.
                    array.set(index, array.view(index));
                }
                return "set in a list";
            }
        }
    }

    /** A part of the array, or a part of a part that was made before. */
    private Part<T> part(Random random) {
        if (!parts.isEmpty() && random.nextBoolean()) {
            Part<T> whole = parts.get(random.nextInt(parts.size()));
            int from = random.nextInt(whole.to - whole.from + 1);
            int to = from + random.nextInt(whole.to - whole.from - from + 1);
            return new Part<>(whole.slice.slice(from, to), whole.from + from, whole.from + to);
        }
        int from = random.nextInt(model.size() + 1);
        int to = from + random.nextInt(model.size() - from + 1);
        return new Part<>(array.slice(from, to), from, to);
    }

    private void searched(NativeSlice<T> slice, List<Integer> numbers, Random random) {
        int wanted =
                numbers.isEmpty() || random.nextBoolean()
                        ? random.nextInt()
                        : numbers.get(random.nextInt(numbers.size()));
        int expected = Collections.binarySearch(numbers, wanted);
        long found = slice.binarySearchByLong(wanted, elements::number);
        if (expected < 0) {
            Mismatch.requireEqual(expected, found, "the place of an absent element");
        } else {
            Mismatch.requireEqual(
                    wanted, elements.number(slice.get(found)), "an element that is searched");
        }
    }

    private void throughSegment(NativeSlice<T> slice, List<Integer> numbers, Random random) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(slice.segment().byteSize(), 64);
            slice.copyTo(bytes);
            if (!numbers.isEmpty()) {
                int number = random.nextInt();
                slice.fill(elements.of(number, 0));
                Mismatch.requireEqual(
                        number, elements.number(slice.get(numbers.size() - 1)), "filled");
            }
            slice.copyFrom(bytes);
        }
    }

    private void shared() throws Exception {
        SharedArray<T> shared = array.share();
        NativeArray<T> former = array;
        if (!model.isEmpty()) {
            Mismatch.requireThrown(
                    IllegalStateException.class,
                    "an array that is shared",
                    () -> elements.number(former.get(0)));
        }
        NativeSlice<T> leased;
        try (ArrayLease<T> lease = shared.lease()) {
            requireSame(model, lease.stream().parallel().map(elements::number).toList());
            leased = lease.slice(0, model.size());
            Mismatch.requireThrown(
                    IllegalStateException.class, "attach while leased", shared::attach);
        }
        Mismatch.require(!leased.segment().scope().isAlive(), "a slice dies with its lease");
        exchange(shared.attach(), false);
    }

    /** The slices of the former owner must be dead. */
    private void exchange(NativeArray<T> next, boolean closing) {
        if (closing) {
            array.close();
        }
        array = next;
        for (Part<T> part : parts) {
            Mismatch.require(
                    !part.slice.segment().scope().isAlive(), "a slice dies with its owner");
        }
        parts.clear();
    }

    private static void requireSame(List<Integer> expected, List<Integer> found) {
        Mismatch.requireEqual(expected, found, "elements");
    }

    @Override
    public void check() {
        Mismatch.requireEqual(model.size(), array.length(), "the length of an array");
        for (int i = 0; i < model.size(); i++) {
            Mismatch.requireEqual(model.get(i), elements.number(array.get(i)), "get(" + i + ")");
        }
        for (Part<T> part : parts) {
            requireSame(
                    model.subList(part.from, part.to),
                    part.slice.stream().map(elements::number).toList());
        }
    }

    @Override
    public void close() throws Exception {
        array.close();
        Mismatch.requireThrown(IllegalStateException.class, "close twice", array::close);
        for (Part<T> part : parts) {
            Mismatch.require(
                    !part.slice.segment().scope().isAlive(), "a slice dies with its owner");
        }
        elements.close();
    }
}
