package dev.kernelalloc.primitive;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Array;
import java.util.Random;
import java.util.function.Supplier;

/** Random uses of every class of arrays, beside a Java array of the same numbers. */
class PrimitiveArrayPropertiesTest {

    enum Memory {
        POOL(PoolAllocator::create),
        HARDENED(() -> PoolAllocator.builder().hardened(true).build()),
        PHYSICAL(PhysicalAllocator::create);

        private final Supplier<KernelAllocator> make;

        Memory(Supplier<KernelAllocator> make) {
            this.make = make;
        }
    }

    @Property
    void anArrayDoesWhatAJavaArrayDoes(
            @ForAll Numbers numbers,
            @ForAll Memory memory,
            @ForAll @IntRange(max = 300) int length,
            @ForAll @IntRange(max = 40) int steps,
            @ForAll long seed) {
        Random random = new Random(seed);
        try (KernelAllocator allocator = memory.make.get(); // its close counts live blocks
                PrimitiveArray<?> array = numbers.zeroed(allocator, length)) {
            Object model = numbers.javaArray(length);
            for (int i = 0; i < steps; i++) {
                step(numbers, array, model, random);
                assertThat(numbers.toArray(array)).isEqualTo(model);
            }
            assertThat(numbers.streamed(array)).isEqualTo(model);
        }
    }

    private static void step(
            Numbers numbers, PrimitiveArray<?> array, Object model, Random random) {
        int length = (int) array.length();
        int from = random.nextInt(length + 1);
        int to = from + random.nextInt(length - from + 1);
        PrimitiveArray<?> part = array.slice(from, to);
        switch (random.nextInt(5)) {
            case 0 -> {
                Object value = numbers.any(random);
                if (from < length) {
                    numbers.set(array, from, value);
                    Array.set(model, from, value);
                    assertThat(numbers.get(array, from)).isEqualTo(value);
                }
            }
            case 1 -> {
                Object value = numbers.any(random);
                numbers.fill(part, value);
                for (int i = from; i < to; i++) {
                    Array.set(model, i, value);
                }
            }
            case 2 -> {
                Object values = numbers.javaArray(random, to - from, to - from);
                part.copyFrom(numbers.segment(values));
                System.arraycopy(values, 0, model, from, to - from);
            }
            case 3 -> { // inside one array, overlapping
                int other = random.nextInt(length - (to - from) + 1);
                MemorySegment there = array.segment();
                part.copyTo(
                        there.asSlice(
                                (long) other * numbers.bytes, (long) (to - from) * numbers.bytes));
                System.arraycopy(model, from, model, other, to - from);
            }
            default -> {
                Object sorted = numbers.javaArray(to - from);
                System.arraycopy(model, from, sorted, 0, to - from);
                numbers.sort(sorted);
                part.sort();
                System.arraycopy(sorted, 0, model, from, to - from);
            }
        }
    }

    @Property(tries = 300)
    void sort_anyNumbers_isThatOfJava(
            @ForAll Numbers numbers,
            @ForAll @IntRange(max = 20_000) int length,
            @ForAll @IntRange(min = 1, max = 1000) int kinds,
            @ForAll long seed) {
        Random random = new Random(seed);
        Object model = numbers.javaArray(random, length, kinds);
        Object edges = numbers.edges();
        for (int i = 0; i < Math.min(length, 50); i++) {
            Array.set(
                    model,
                    random.nextInt(length),
                    Array.get(edges, random.nextInt(Array.getLength(edges))));
        }
        try (Arena arena = Arena.ofConfined()) {
            // At an odd address.
            MemorySegment memory = arena.allocate((long) length * numbers.bytes + 1).asSlice(1);
            memory.copyFrom(numbers.segment(model));
            PrimitiveArray<?> array = numbers.over(memory);
            array.sort();
            numbers.sort(model);
            assertThat(numbers.toArray(array)).isEqualTo(model);
            for (int i = 0; i < Array.getLength(edges); i++) {
                Object wanted = Array.get(edges, i);
                long found = numbers.search(array, wanted);
                long expected = numbers.search(model, wanted);
                assertThat(found < 0 ? found : 0).isEqualTo(expected < 0 ? expected : 0);
                if (found >= 0) {
                    assertThat(numbers.get(array, found)).isEqualTo(wanted);
                }
            }
        }
    }
}
