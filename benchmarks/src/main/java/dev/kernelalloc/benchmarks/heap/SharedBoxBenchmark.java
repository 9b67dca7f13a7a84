package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.TimeUnit;

/**
 * The cost of boxes used by more than one thread. Two accesses are one write and one read, of the
 * first eight of 64 bytes; compared with a confined box that is created, accessed as often, and
 * closed.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class SharedBoxBenchmark {

    private interface Line {
        long first();

        void first(long value);

        long second();

        void second(long value);

        long third();

        void third(long value);

        long fourth();

        void fourth(long value);

        long fifth();

        void fifth(long value);

        long sixth();

        void sixth(long value);

        long seventh();

        void seventh(long value);

        long last();

        void last(long value);
    }

    private static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);

    /** The boxes used by one thread alone. */
    @State(Scope.Thread)
    public static class OfOne {
        private SharedBox<Line> box;
        private SharedArray<Line> array;
        private long value;

        @Setup
        public void make() {
            box = SharedBox.zeroed(Library.POOL, LINE);
            array = NativeArray.zeroed(Library.POOL, LINE, 100).share();
        }

        @TearDown
        public void close() {
            box.close();
            array.close();
        }
    }

    /** The boxes used by all threads. */
    @State(Scope.Benchmark)
    public static class OfAll {
        private SharedBox<Line> box;

        @Setup
        public void make() {
            box = SharedBox.zeroed(Library.POOL, LINE);
        }

        @TearDown
        public void close() {
            box.close();
        }
    }

    public SharedBoxBenchmark() {}

    // ---- two accesses -------------------------------------------------------------------------

    @Benchmark
    public long lease(OfOne state) {
        try (Lease<Line> lease = state.box.lease()) {
            return touch(lease.get(), state.value++);
        }
    }

    @Benchmark
    public long arrayLease(OfOne state) {
        try (ArrayLease<Line> lease = state.array.lease()) {
            long value = state.value++;
            return touch(lease.get(value % 100), value);
        }
    }

    @Benchmark
    public long confinedBox(OfOne state) {
        try (NativeBox<Line> box = NativeBox.uninitialized(Library.POOL, LINE)) {
            return touch(box.get(), state.value++);
        }
    }

    @Benchmark
    public long jdkSharedArena(OfOne state) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment segment = arena.allocate(LINE.byteSize(), LINE.byteAlignment());
            segment.set(ValueLayout.JAVA_LONG, 0, state.value++);
            return segment.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    @Benchmark
    @Threads(2)
    public long leaseContended(OfAll shared, OfOne own) {
        try (Lease<Line> lease = shared.box.lease()) {
            return touch(lease.get(), own.value++);
        }
    }

    // ---- a whole life -------------------------------------------------------------------------

    @Benchmark
    public long sharedBox(OfOne state) {
        try (SharedBox<Line> box = SharedBox.uninitialized(Library.POOL, LINE);
                Lease<Line> lease = box.lease()) {
            return touch(lease.get(), state.value++);
        }
    }

    @Benchmark
    public long handOff(OfOne state) {
        try (NativeBox<Line> box = NativeBox.uninitialized(Library.POOL, LINE).detach().attach()) {
            return touch(box.get(), state.value++);
        }
    }

    private static long touch(Line line, long value) {
        line.first(value);
        return line.first();
    }
}
