package dev.kernelalloc.benchmarks.container;

import dev.kernelalloc.benchmarks.struct.Profile;
import dev.kernelalloc.primitive.NativeByteArray;
import dev.kernelalloc.primitive.NativeDoubleArray;
import dev.kernelalloc.primitive.NativeFloatArray;
import dev.kernelalloc.primitive.NativeIntArray;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.NativeShortArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Loops over 10,000 {@code long} numbers, beside the same loops over the segment. One operation is
 * one number.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(NumberBenchmark.NUMBERS)
public class NumberBenchmark {

    static final int NUMBERS = 10_000;

    @Param({"CLEAN", "POLLUTED"})
    Profile profile;

    private NativeLongArray longs;
    private NativeLongArray other;
    private NativeLongArray unsorted;
    private MemorySegment raw;
    private MemorySegment rawOther;
    private SharedPrimitiveArray<NativeLongArray> shared;

    public NumberBenchmark() {}

    @Setup
    public void fill() {
        profile.set();
        longs = NativeLongArray.zeroed(NUMBERS);
        other = NativeLongArray.zeroed(NUMBERS);
        unsorted = NativeLongArray.zeroed(NUMBERS);
        Random random = new Random(1);
        for (int i = 0; i < NUMBERS; i++) {
            longs.set(i, i);
            unsorted.set(i, random.nextLong());
        }
        if (profile == Profile.POLLUTED) {
            pollute();
        }
        raw = longs.segment();
        rawOther = other.segment();
        shared = NativeLongArray.of(longs.toArray()).share();
    }

    /** The classes of all types, over owned memory, leases and Java arrays. */
    private static void pollute() {
        NativeByteArray bytes = NativeByteArray.over(MemorySegment.ofArray(new int[NUMBERS]));
        NativeShortArray shorts = NativeShortArray.zeroed(NUMBERS);
        SharedPrimitiveArray<NativeIntArray> ints = NativeIntArray.zeroed(NUMBERS).share();
        NativeFloatArray floats = NativeFloatArray.zeroed(NUMBERS);
        NativeDoubleArray doubles = NativeDoubleArray.zeroed(NUMBERS);
        NativeLongArray inJava = NativeLongArray.over(MemorySegment.ofArray(new long[NUMBERS]));
        try (NativeIntArray lease = ints.lease()) {
            for (int i = 0; i < NUMBERS; i++) {
                bytes.set(i, (byte) (bytes.get(i) + 1));
                shorts.set(i, (short) (shorts.get(i) + 1));
                lease.set(i, lease.get(i) + 1);
                floats.set(i, floats.get(i) + 1);
                doubles.set(i, doubles.get(i) + 1);
                inJava.set(i, inJava.get(i) + 1);
            }
        }
    }

    @Benchmark
    public long rawSum() {
        MemorySegment memory = raw;
        long sum = 0;
        for (long i = 0; i < NUMBERS; i++) {
            sum += memory.getAtIndex(ValueLayout.JAVA_LONG, i);
        }
        return sum;
    }

    @Benchmark
    public long sum() {
        NativeLongArray array = longs;
        long sum = 0;
        for (long i = 0; i < array.length(); i++) {
            sum += array.get(i);
        }
        return sum;
    }

    @Benchmark
    public long sumOfALease() {
        try (NativeLongArray lease = shared.lease()) {
            long sum = 0;
            for (long i = 0; i < lease.length(); i++) {
                sum += lease.get(i);
            }
            return sum;
        }
    }

    @Benchmark
    public long sumOfAStream() {
        return longs.stream().sum();
    }

    @Benchmark
    public void rawAdding() {
        MemorySegment from = raw;
        MemorySegment to = rawOther;
        for (long i = 0; i < NUMBERS; i++) {
            to.setAtIndex(
                    ValueLayout.JAVA_LONG,
                    i,
                    to.getAtIndex(ValueLayout.JAVA_LONG, i)
                            + from.getAtIndex(ValueLayout.JAVA_LONG, i));
        }
    }

    @Benchmark
    public void adding() {
        NativeLongArray from = longs;
        NativeLongArray to = other;
        for (long i = 0; i < NUMBERS; i++) {
            to.set(i, to.get(i) + from.get(i));
        }
    }

    @Benchmark
    public void sort() {
        other.copyFrom(unsorted);
        other.sort();
    }

    /** As one sorts a segment with the JDK. */
    @Benchmark
    public void sortInJava() {
        long[] copy = unsorted.segment().toArray(ValueLayout.JAVA_LONG);
        Arrays.sort(copy);
        MemorySegment.copy(copy, 0, rawOther, ValueLayout.JAVA_LONG, 0, NUMBERS);
    }
}
