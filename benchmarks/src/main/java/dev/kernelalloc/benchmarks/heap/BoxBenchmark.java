package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.benchmarks.struct.Profile;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.CompilerControl;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.TimeUnit;

/**
 * A box of 64 bytes: created, written, read, closed; compared with an {@code Arena.ofConfined()}
 * for one block of the same size. Benchmarks of zeroed boxes read them first; so does that of the
 * arena.
 *
 * <p>Each loop of 1,000 operations is compiled by itself, as in a program: JMH's own loop would
 * inline it twice, beyond what HotSpot inlines into one method.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(Touch.OPERATIONS)
public class BoxBenchmark {

    private static final long BYTES = 64;

    /** Eight longs, of which the first and the last are used: what {@link Touch} does. */
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

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private static final MemorySegment SEGMENT = Arena.global().allocate(BYTES, Long.BYTES);

    private static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);

    @Param({"CLEAN", "POLLUTED"})
    Profile profile;

    /** Not a constant, so the JIT sees neither type nor size. */
    private StructType<MemorySegment> type;

    private long size;
    private long value;

    public BoxBenchmark() {}

    @Setup
    public void make() {
        profile.set();
        type =
                StructType.of(
                        MemoryLayout.sequenceLayout(BYTES / Long.BYTES, ValueLayout.JAVA_LONG));
        size = BYTES;
    }

    // ---- under frames -------------------------------------------------------------------------
    // One operation per invocation: HotSpot moves writes to the same segment out of a loop.

    @Benchmark
    @OperationsPerInvocation(1)
    public long boxUnder12Frames() {
        return Frames.first(value++);
    }

    @Benchmark
    @OperationsPerInvocation(1)
    public long boxZeroedUnder12Frames() {
        return ZeroedFrames.first(value++);
    }

    /** The accesses of {@link #boxUnder12Frames} to a segment that is there already. */
    @Benchmark
    @OperationsPerInvocation(1)
    public long jdkSegmentUnder12Frames() {
        return SegmentFrames.first(value++);
    }

    // ---- not zeroed ---------------------------------------------------------------------------

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long box() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            sum += newBox(i);
        }
        return sum;
    }

    // ---- zeroed -------------------------------------------------------------------------------

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long boxZeroed() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            sum += newBoxOfZeros(i);
        }
        return sum;
    }

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long boxOfUnknownSizeZeroed() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            try (NativeBox<MemorySegment> box = NativeBox.zeroed(Library.POOL, type)) {
                sum += Touch.zeros(box.segment()) + Touch.of(box.segment(), i);
            }
        }
        return sum;
    }

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long jdkArena() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment segment = arena.allocate(BYTES, Long.BYTES);
                sum += Touch.zeros(segment) + Touch.of(segment, i);
            }
        }
        return sum;
    }

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long jdkArenaOfUnknownSize() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment segment = arena.allocate(size, Long.BYTES);
                sum += Touch.zeros(segment) + Touch.of(segment, i);
            }
        }
        return sum;
    }

    // ---- handed to a method that is not inlined -----------------------------------------------

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long boxZeroedEscaping() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            try (NativeBox<Line> box = NativeBox.zeroed(Library.POOL, LINE)) {
                sum += use(box, i);
            }
        }
        return sum;
    }

    @Benchmark
    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    public long jdkArenaEscaping() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            try (Arena arena = Arena.ofConfined()) {
                sum += use(arena.allocate(BYTES, Long.BYTES), i);
            }
        }
        return sum;
    }

    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    private static long use(NativeBox<Line> box, long value) {
        return zeros(box.get()) + touch(box.get(), value);
    }

    @CompilerControl(CompilerControl.Mode.DONT_INLINE)
    private static long use(MemorySegment segment, long value) {
        return Touch.zeros(segment) + Touch.of(segment, value);
    }

    // ---- the work -----------------------------------------------------------------------------

    private static long newBox(long value) {
        try (NativeBox<Line> box = NativeBox.uninitialized(Library.POOL, LINE)) {
            return touch(box.get(), value);
        }
    }

    private static long newBoxOfZeros(long value) {
        try (NativeBox<Line> box = NativeBox.zeroed(Library.POOL, LINE)) {
            return zeros(box.get()) + touch(box.get(), value);
        }
    }

    private static long zeros(Line line) {
        return line.first() + line.last();
    }

    private static long touch(Line line, long value) {
        line.first(value);
        line.last(value);
        return line.first() + line.last();
    }

    /** Twelve methods between the benchmark and the box. */
    private static final class Frames {
        static long first(long value) {
            return second(value) + 1;
        }

        static long second(long value) {
            return third(value) + 1;
        }

        static long third(long value) {
            return fourth(value) + 1;
        }

        static long fourth(long value) {
            return fifth(value) + 1;
        }

        static long fifth(long value) {
            return sixth(value) + 1;
        }

        static long sixth(long value) {
            return seventh(value) + 1;
        }

        static long seventh(long value) {
            return eighth(value) + 1;
        }

        static long eighth(long value) {
            return ninth(value) + 1;
        }

        static long ninth(long value) {
            return tenth(value) + 1;
        }

        static long tenth(long value) {
            return eleventh(value) + 1;
        }

        static long eleventh(long value) {
            return twelfth(value) + 1;
        }

        static long twelfth(long value) {
            try (NativeBox<Line> box = NativeBox.uninitialized(Library.POOL, LINE)) {
                Line line = box.get();
                line.first(value);
                line.last(value);
                return line.first() + line.last();
            }
        }
    }

    /** The same; frames of their own, so that their profiles are too. */
    private static final class ZeroedFrames {
        static long first(long value) {
            return second(value) + 1;
        }

        static long second(long value) {
            return third(value) + 1;
        }

        static long third(long value) {
            return fourth(value) + 1;
        }

        static long fourth(long value) {
            return fifth(value) + 1;
        }

        static long fifth(long value) {
            return sixth(value) + 1;
        }

        static long sixth(long value) {
            return seventh(value) + 1;
        }

        static long seventh(long value) {
            return eighth(value) + 1;
        }

        static long eighth(long value) {
            return ninth(value) + 1;
        }

        static long ninth(long value) {
            return tenth(value) + 1;
        }

        static long tenth(long value) {
            return eleventh(value) + 1;
        }

        static long eleventh(long value) {
            return twelfth(value) + 1;
        }

        static long twelfth(long value) {
            try (NativeBox<Line> box = NativeBox.zeroed(Library.POOL, LINE)) {
                Line line = box.get();
                long zeros = line.first() + line.last();
                line.first(value);
                line.last(value);
                return zeros + line.first() + line.last();
            }
        }
    }

    /** The same, around accesses to a segment alone. */
    private static final class SegmentFrames {
        static long first(long value) {
            return second(value) + 1;
        }

        static long second(long value) {
            return third(value) + 1;
        }

        static long third(long value) {
            return fourth(value) + 1;
        }

        static long fourth(long value) {
            return fifth(value) + 1;
        }

        static long fifth(long value) {
            return sixth(value) + 1;
        }

        static long sixth(long value) {
            return seventh(value) + 1;
        }

        static long seventh(long value) {
            return eighth(value) + 1;
        }

        static long eighth(long value) {
            return ninth(value) + 1;
        }

        static long ninth(long value) {
            return tenth(value) + 1;
        }

        static long tenth(long value) {
            return eleventh(value) + 1;
        }

        static long eleventh(long value) {
            return twelfth(value) + 1;
        }

        static long twelfth(long value) {
            SEGMENT.set(LONG, 0, value);
            SEGMENT.set(LONG, BYTES - Long.BYTES, value);
            return SEGMENT.get(LONG, 0) + SEGMENT.get(LONG, BYTES - Long.BYTES);
        }
    }
}
