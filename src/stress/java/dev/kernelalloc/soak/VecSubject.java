package dev.kernelalloc.soak;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Random;

/** A {@link NativeVec} beside an {@code ArrayList} of the numbers of its elements. */
final class VecSubject<T> implements Subject {

    private static final int MOST_ELEMENTS = 3000;

    private final KernelAllocator allocator;
    private final Elements<T> elements;
    private final List<Integer> model = new ArrayList<>();
    private NativeVec<T> vec;

    VecSubject(KernelAllocator allocator, Elements<T> elements, Random random) {
        this.allocator = allocator;
        this.elements = elements;
        this.vec =
                random.nextBoolean()
                        ? NativeVec.create(allocator, elements.type)
                        : NativeVec.withCapacity(
                                allocator, elements.type, random.nextInt(MOST_ELEMENTS));
    }

    /** A step that throws {@code AllocationException} leaves elements and model unchanged. */
    @Override
    public String step(Random random) throws Exception {
        int size = model.size();
        int number = random.nextInt();
        int from = random.nextInt(size + 1);
        int to = from + random.nextInt(size - from + 1);
        int index = size == 0 ? -1 : random.nextInt(size);
        int kind = random.nextInt(index < 0 ? 9 : 19);
        if (size > MOST_ELEMENTS) {
            kind = 11;
        }
        switch (kind) {
            case 0, 1 -> {
                vec.add(elements.of(number, 0));
                model.add(number);
                return "add";
            }
            case 2 -> {
                List<Integer> numbers = numbers(random);
                vec.addAll(values(numbers));
                model.addAll(numbers);
                return "addAll " + numbers.size();
            }
            case 3 -> {
                vec.insert(from, elements.of(number, 0));
                model.add(from, number);
                return "insert at %d of %d".formatted(from, size);
            }
            case 4 -> {
                vec.addAll(vec.slice(from, to));
                model.addAll(List.copyOf(model.subList(from, to)));
                return "addAll of itself, %d to %d".formatted(from, to);
            }
            case 5 -> {
                int additional = random.nextInt(MOST_ELEMENTS);
                vec.reserve(additional);
                Mismatch.require(vec.capacity() >= size + additional, "the capacity is reserved");
                return "reserve " + additional;
            }
            case 6 -> {
                long capacity = vec.capacity();
                vec.shrinkToFit();
                Mismatch.require(vec.capacity() <= capacity, "the capacity does not grow");
                return "shrinkToFit";
            }
            case 7 -> {
                vec = NativeVec.from(vec.intoArray());
                return "intoArray and back";
            }
            case 8 -> {
                copied(random);
                return "copied";
            }
            case 9 -> {
                vec.set(index, elements.of(number, 0));
                model.set(index, number);
                return "set";
            }
            case 10 -> {
                if (elements.areCopies()) {
                    Mismatch.requireEqual(
                            model.removeLast(), elements.number(vec.removeLast()), "removeLast");
                } else {
                    vec.truncate(size - 1);
                    model.removeLast();
                }
                return "removeLast";
            }
            case 11 -> {
                vec.truncate(from);
                model.subList(from, size).clear();
                return "truncate to %d of %d".formatted(from, size);
            }
            case 12 -> {
                Mismatch.requireEqual(
                        model.remove(index), elements.number(vec.removeAt(index)), "removeAt");
                return "removeAt %d of %d".formatted(index, size);
            }
            case 13 -> {
                Integer removed = model.get(index);
                Collections.swap(model, index, size - 1);
                model.removeLast();
                Mismatch.requireEqual(
                        removed, elements.number(vec.swapRemove(index)), "swapRemove");
                return "swapRemove %d of %d".formatted(index, size);
            }
            case 14 -> {
                int rest = random.nextInt(5);
                Mismatch.requireEqual(
                        model.removeIf(n -> Math.floorMod(n, 5) == rest),
                        vec.removeIf(e -> Math.floorMod(elements.number(e), 5) == rest),
                        "removeIf");
                return "removeIf";
            }
            case 15 -> {
                vec.slice().sortByLong(e -> elements.number(e) % 50);
                model.sort(Comparator.comparingLong(n -> n % 50));
                return "sortByLong of " + size;
            }
            case 16 -> {
                vec.slice(from, to).reverse();
                Collections.reverse(model.subList(from, to));
                return "reverse %d to %d".formatted(from, to);
            }
            case 17 -> {
                vec.slice(from, to).fill(elements.of(number, 0));
                Collections.fill(model.subList(from, to), number);
                return "fill %d to %d".formatted(from, to);
            }
            default -> {
                if (random.nextInt(8) == 0) {
                    vec.clear();
                    model.clear();
                    return "clear";
                }
                iterated(index);
                return "iterated";
            }
        }
    }

    private static List<Integer> numbers(Random random) {
        return random.ints(random.nextInt(Elements.SLOTS)).boxed().toList();
    }

    private List<T> values(List<Integer> numbers) {
        List<T> values = new ArrayList<>();
        for (int i = 0; i < numbers.size(); i++) {
            values.add(elements.of(numbers.get(i), i));
        }
        return values;
    }

    /** A copy does not follow the vec, and takes the memory of both into account. */
    private void copied(Random random) throws Exception {
        try (NativeArray<T> copy = vec.toArray()) {
            Mismatch.requireEqual(model, numbersOf(copy), "toArray");
            if (!model.isEmpty()) {
                int index = random.nextInt(model.size());
                copy.set(index, elements.of(~model.get(index), 0));
                Mismatch.requireEqual(
                        model.get(index), elements.number(vec.get(index)), "behind a copy");
            }
        }
        List<Integer> numbers = numbers(random);
        try (NativeVec<T> other = NativeVec.copyOf(allocator, elements.type, values(numbers))) {
            other.addAll(vec.slice());
            List<Integer> both = new ArrayList<>(numbers);
            both.addAll(model);
            Mismatch.requireEqual(both, numbersOf(other.slice()), "copyOf and addAll");
        }
    }

    /** An iterator fails where an element was removed behind its back. */
    private void iterated(int index) throws Exception {
        Iterator<T> iterator = vec.iterator();
        for (int i = 0; i <= index; i++) {
            Mismatch.requireEqual(model.get(i), elements.number(iterator.next()), "by an iterator");
        }
        if (index + 1 < model.size()) {
            vec.swapRemove(0);
            Collections.swap(model, 0, model.size() - 1);
            model.removeLast();
            Mismatch.requireThrown(
                    java.util.ConcurrentModificationException.class,
                    "an iterator behind a removal",
                    iterator::next);
        }
    }

    private List<Integer> numbersOf(NativeSlice<T> slice) {
        return slice.stream().map(elements::number).toList();
    }

    @Override
    public void check() {
        Mismatch.requireEqual(model.size(), vec.size(), "the size of a vec");
        Mismatch.require(vec.capacity() >= vec.size(), "the capacity of a vec is not less than it");
        for (int i = 0; i < model.size(); i++) {
            Mismatch.requireEqual(model.get(i), elements.number(vec.get(i)), "get(" + i + ")");
        }
        int[] at = {0};
        vec.forEach(
                e -> Mismatch.requireEqual(model.get(at[0]++), elements.number(e), "by forEach"));
        Mismatch.requireEqual(model, vec.stream().map(elements::number).toList(), "by stream");
    }

    @Override
    public void close() throws Exception {
        NativeSlice<T> slice = vec.slice();
        vec.close();
        Mismatch.requireThrown(IllegalStateException.class, "close twice", vec::close);
        Mismatch.requireThrown(
                IllegalStateException.class, "add when closed", () -> vec.add(elements.of(1, 0)));
        if (!model.isEmpty()) {
            Mismatch.requireThrown(
                    IllegalStateException.class,
                    "a slice of a closed vec",
                    () -> elements.number(slice.get(0)));
        }
        elements.close();
    }
}
