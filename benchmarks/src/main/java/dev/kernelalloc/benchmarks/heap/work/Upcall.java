package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.stream.IntStream;

/** qsort(3) with a comparison in Java: a native frame below it pins a virtual thread. */
final class Upcall {

    private static final int NUMBERS = 64;

    @SuppressWarnings("restricted")
    private static final ValueLayout NUMBER_POINTER =
            ValueLayout.ADDRESS.withTargetLayout(ValueLayout.JAVA_INT);

    private final Memory memory;
    private final MethodHandle qsort;
    private final MemorySegment comparison;
    private final int[] unsorted;
    private final long comparisons;

    @SuppressWarnings("restricted")
    Upcall(Memory memory) {
        this.memory = memory;
        Linker linker = Linker.nativeLinker();
        qsort =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("qsort"),
                        FunctionDescriptor.ofVoid(
                                ValueLayout.ADDRESS,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.ADDRESS));
        unsorted = IntStream.range(0, NUMBERS).map(i -> i * 37 % NUMBERS).toArray();
        long[] count = new long[1];
        sort(stub(linker, new Counting(count), Counting.class));
        comparisons = count[0];
        comparison = stub(linker, this, Upcall.class);
    }

    /** Returns the number of comparisons, which for the same numbers is the same. */
    long sort() {
        sort(comparison);
        return comparisons;
    }

    private void sort(MemorySegment how) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment numbers = arena.allocateFrom(ValueLayout.JAVA_INT, unsorted);
            qsort.invokeExact(numbers, (long) NUMBERS, (long) Integer.BYTES, how);
            if (numbers.getAtIndex(ValueLayout.JAVA_INT, NUMBERS - 1) != NUMBERS - 1) {
                throw new IllegalStateException("not sorted");
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("unused") // called from C
    private int compare(MemorySegment a, MemorySegment b) {
        int left = a.get(ValueLayout.JAVA_INT, 0);
        memory.once(EachThread.BYTES, CFunctions.NATURAL_ALIGNMENT, left);
        return Integer.compare(left, b.get(ValueLayout.JAVA_INT, 0));
    }

    private record Counting(long[] count) {
        @SuppressWarnings("unused") // called from C
        private int compare(MemorySegment a, MemorySegment b) {
            count[0]++;
            return Integer.compare(a.get(ValueLayout.JAVA_INT, 0), b.get(ValueLayout.JAVA_INT, 0));
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment stub(Linker linker, Object receiver, Class<?> type) {
        try {
            MethodHandle compare =
                    MethodHandles.lookup()
                            .findVirtual(
                                    type,
                                    "compare",
                                    MethodType.methodType(
                                            int.class, MemorySegment.class, MemorySegment.class))
                            .bindTo(receiver);
            return linker.upcallStub(
                    compare,
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, NUMBER_POINTER, NUMBER_POINTER),
                    Arena.global());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
