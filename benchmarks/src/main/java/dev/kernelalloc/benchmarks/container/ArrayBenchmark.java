package dev.kernelalloc.benchmarks.container;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.benchmarks.struct.Profile;
import dev.kernelalloc.struct.StructType;

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
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;
import java.util.concurrent.TimeUnit;

/**
 * Reading or writing both members of 10,000 structs, the container in a field. One operation is one
 * struct.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(ArrayBenchmark.STRUCTS)
public class ArrayBenchmark {

    static final int STRUCTS = 10_000;

    /** As a value. */
    record Pair(long a, long b) {}

    /** As a view. */
    interface Cell {
        long a();

        void a(long value);

        long b();

        void b(long value);
    }

    private record One(int a) {}

    private record Two(short a, byte b) {}

    private record Three(double a, float b, long c) {}

    private static final Lookup HERE = MethodHandles.lookup();
    private static final StructType<Pair> PAIR = StructType.of(HERE, Pair.class);
    private static final StructType<Cell> CELL = StructType.of(HERE, Cell.class);
    private static final int USES = 20_000;

    @Param({"CLEAN", "POLLUTED"})
    Profile profile;

    private NativeArray<Pair> records;
    private NativeArray<Cell> views;
    private NativeVec<Pair> vec;
    private SharedArray<Pair> shared;
    private MemorySegment raw;

    public ArrayBenchmark() {}

    @Setup
    public void fill() {
        profile.set();
        if (profile == Profile.POLLUTED) {
            use(StructType.of(HERE, One.class), new One(1));
            use(StructType.of(HERE, Two.class), new Two((short) 1, (byte) 2));
            use(StructType.of(HERE, Three.class), new Three(1, 2, 3));
            use(CELL, NativeArray.zeroed(CELL, 1).get(0));
            use(PAIR, new Pair(1, 2));
        }
        records = NativeArray.zeroed(PAIR, STRUCTS);
        views = NativeArray.zeroed(CELL, STRUCTS);
        vec = NativeVec.create(PAIR);
        for (int i = 0; i < STRUCTS; i++) {
            records.set(i, new Pair(i, ~i));
            views.get(i).a(i);
            vec.add(new Pair(i, ~i));
        }
        raw = records.segment();
        shared = NativeArray.copyOf(KernelAllocator.global(), records).share();
    }

    private static <T> void use(StructType<T> type, T value) {
        try (NativeArray<T> array = NativeArray.zeroed(type, USES);
                NativeVec<T> grown = NativeVec.create(type)) {
            NativeSlice<T> slice = array.slice(1, USES);
            for (int i = 0; i < USES; i++) {
                array.set(i, value);
                grown.add(array.get(i));
                slice.set(i / 2, grown.get(i / 2));
            }
            array.forEach(_ -> {});
        }
        try (SharedArray<T> shared = NativeArray.zeroed(type, USES).share();
                ArrayLease<T> lease = shared.lease()) {
            for (int i = 0; i < USES; i++) {
                lease.set(i, lease.get(i / 2));
            }
            lease.stream().forEach(_ -> {});
        }
    }

    @Benchmark
    public long rawReading() {
        MemorySegment memory = raw;
        long sum = 0;
        for (int i = 0; i < STRUCTS; i++) {
            sum += memory.get(ValueLayout.JAVA_LONG, i * 16L);
            sum ^= memory.get(ValueLayout.JAVA_LONG, i * 16L + 8);
        }
        return sum;
    }

    @Benchmark
    public long arrayOfRecords() {
        NativeArray<Pair> array = records;
        long sum = 0;
        for (int i = 0; i < STRUCTS; i++) {
            Pair pair = array.get(i);
            sum += pair.a();
            sum ^= pair.b();
        }
        return sum;
    }

    @Benchmark
    public long arrayOfViews() {
        NativeArray<Cell> array = views;
        long sum = 0;
        for (int i = 0; i < STRUCTS; i++) {
            Cell cell = array.get(i);
            sum += cell.a();
            sum ^= cell.b();
        }
        return sum;
    }

    @Benchmark
    public long vecOfRecords() {
        NativeVec<Pair> elements = vec;
        long sum = 0;
        for (int i = 0; i < STRUCTS; i++) {
            Pair pair = elements.get(i);
            sum += pair.a();
            sum ^= pair.b();
        }
        return sum;
    }

    @Benchmark
    public long leaseOfRecords() {
        long sum = 0;
        try (ArrayLease<Pair> lease = shared.lease()) {
            for (int i = 0; i < STRUCTS; i++) {
                Pair pair = lease.get(i);
                sum += pair.a();
                sum ^= pair.b();
            }
        }
        return sum;
    }

    @Benchmark
    public long stream() {
        return records.stream().mapToLong(pair -> pair.a() ^ pair.b()).sum();
    }

    @Benchmark
    public long parallelStream() {
        try (ArrayLease<Pair> lease = shared.lease()) {
            return lease.stream().parallel().mapToLong(pair -> pair.a() ^ pair.b()).sum();
        }
    }

    @Benchmark
    public long enhancedFor() {
        long sum = 0;
        for (Pair pair : records) {
            sum += pair.a();
            sum ^= pair.b();
        }
        return sum;
    }

    @Benchmark
    public void rawWriting() {
        MemorySegment memory = raw;
        for (int i = 0; i < STRUCTS; i++) {
            memory.set(ValueLayout.JAVA_LONG, i * 16L, i);
            memory.set(ValueLayout.JAVA_LONG, i * 16L + 8, ~i);
        }
    }

    @Benchmark
    public void writingRecords() {
        NativeArray<Pair> array = records;
        for (int i = 0; i < STRUCTS; i++) {
            array.set(i, new Pair(i, ~i));
        }
    }
}
