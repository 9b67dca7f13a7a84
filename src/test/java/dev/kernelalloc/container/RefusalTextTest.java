package dev.kernelalloc.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;
import dev.kernelalloc.primitive.NativeIntArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.StructType;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Texts of refused accesses name the argument, the memory, and the threads. */
class RefusalTextTest {

    record Point(int x, int y) {}

    record Line(int width, Point from) {}

    record Sample(
            @Length(4) String name, @Length(4) MemorySegment bytes, @Length(2) int[] values) {}

    interface Pair {
        Point first();

        void first(Point value);
    }

    private static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();
    private static final StructType<Point> POINT = StructType.of(LOOKUP, Point.class);
    private static final StructType<Line> LINE = StructType.of(LOOKUP, Line.class);
    private static final StructType<Sample> SAMPLE = StructType.of(LOOKUP, Sample.class);
    private static final StructType<Pair> PAIR = StructType.of(LOOKUP, Pair.class);

    @DisplayName("A null value is named, whatever it is written to")
    @Test
    @SuppressWarnings("DataFlowIssue") // null is what is tested
    void set_null_namesTheValue() {
        try (NativeBox<Point> box = NativeBox.zeroed(POINT);
                NativeArray<Point> array = NativeArray.zeroed(POINT, 2);
                NativeVec<Point> vec = NativeVec.create(POINT);
                NativeMap<Point> map = NativeMap.create(POINT);
                NativeArray<Pair> pairs = NativeArray.zeroed(PAIR, 1)) {
            vec.add(new Point(1, 2));
            List<ThrowingCallable> calls =
                    List.of(
                            () -> box.set(null),
                            () -> array.set(0, null),
                            () -> array.slice(0, 1).set(0, null),
                            () -> vec.set(0, null),
                            () -> vec.add(null),
                            () -> map.put(1, null),
                            () -> pairs.set(0, null));
            assertThat(calls)
                    .allSatisfy(
                            call ->
                                    assertThatNullPointerException()
                                            .isThrownBy(call)
                                            .withMessage("value"));
            assertThat(vec.size()).isEqualTo(1);
            assertThat(map.isEmpty()).isTrue();
        }
    }

    @DisplayName("A null inside a value is named as its member")
    @Test
    @SuppressWarnings("DataFlowIssue") // null is what is tested
    void set_nullMember_namesTheMember() {
        try (NativeBox<Line> box = NativeBox.zeroed(LINE);
                NativeArray<Line> lines = NativeArray.zeroed(LINE, 1);
                NativeBox<Sample> sample = NativeBox.zeroed(SAMPLE);
                NativeArray<Pair> pairs = NativeArray.zeroed(PAIR, 1)) {
            Sample zeros = sample.get();
            assertThatNullPointerException()
                    .isThrownBy(() -> sample.set(new Sample(null, zeros.bytes, zeros.values)))
                    .withMessage("name");
            assertThatNullPointerException()
                    .isThrownBy(() -> sample.set(new Sample("", null, zeros.values)))
                    .withMessage("bytes");
            assertThatNullPointerException()
                    .isThrownBy(() -> sample.set(new Sample("", zeros.bytes, null)))
                    .withMessage("values");
            Line line = new Line(1, null);
            assertThatNullPointerException().isThrownBy(() -> box.set(line)).withMessage("from");
            assertThatNullPointerException()
                    .isThrownBy(() -> lines.set(0, line))
                    .withMessage("from");
            assertThatNullPointerException()
                    .isThrownBy(() -> pairs.get(0).first(null))
                    .withMessage("first");
        }
    }

    @DisplayName("Another thread is told the memory, the thread it is confined to, and itself")
    @Test
    void access_byAnotherThread_namesMemoryAndThreads() throws Exception {
        try (NativeArray<Point> array = NativeArray.zeroed(POINT, 2);
                NativeVec<Point> vec = NativeVec.create(POINT);
                NativeMap<Point> map = NativeMap.create(POINT);
                NativeString text = NativeString.of("text");
                NativeString.Builder builder = NativeString.builder().append("text")) {
            vec.add(new Point(1, 2));
            NativeSlice<Point> slice = array.slice(0, 1);
            List<ThrowingCallable> calls =
                    List.of(
                            () -> array.get(0),
                            () -> array.swap(0, 1),
                            () -> array.fill(new Point(1, 1)),
                            array::close,
                            () -> slice.get(0),
                            () -> vec.get(0),
                            vec::clear,
                            vec::intoArray,
                            vec::close,
                            () -> map.get(1),
                            () -> map.put(1, new Point(1, 1)),
                            map::close,
                            text::toString,
                            () -> text.byteAt(0),
                            text::close,
                            () -> builder.append("more"),
                            builder::close);
            for (ThrowingCallable call : calls) {
                assertThat(inAnotherThread(call))
                        .isInstanceOf(WrongThreadException.class)
                        .hasMessageMatching(
                                "wrong thread: memory at 0x[0-9a-f]+, [0-9]+ bytes is confined to "
                                        + "\\Q"
                                        + Thread.currentThread()
                                        + "\\E, not Thread\\[.*stranger.*\\]; .*");
            }
            assertThat(inAnotherThread(() -> vec.add(new Point(1, 1))))
                    .isInstanceOf(WrongThreadException.class)
                    .hasMessageContaining("confined to " + Thread.currentThread())
                    .hasMessageContaining("stranger");
        }
    }

    private static Throwable inAnotherThread(ThrowingCallable call)
            throws InterruptedException, ExecutionException {
        FutureTask<Throwable> task = new FutureTask<>(() -> catchThrowable(call));
        Thread.ofPlatform().name("stranger").start(task);
        return task.get();
    }

    @DisplayName("Each operation of an ended slice names the memory")
    @Test
    void operation_ofEndedSlice_namesTheMemory() {
        NativeSlice<Point> slice;
        NativeVec<Point> vec = NativeVec.create(POINT);
        vec.add(new Point(1, 2));
        vec.close();
        try (NativeArray<Point> alive = NativeArray.zeroed(POINT, 3)) {
            try (NativeArray<Point> array = NativeArray.zeroed(POINT, 4)) {
                slice = array.slice(1, 4);
            }
            MemorySegment bytes = MemorySegment.ofArray(new byte[24]);
            List<ThrowingCallable> calls =
                    List.of(
                            () -> slice.swap(0, 1),
                            slice::reverse,
                            () -> slice.copyFrom(alive),
                            () -> alive.copyFrom(slice),
                            () -> slice.copyFrom(bytes),
                            () -> slice.copyTo(bytes),
                            () -> slice.sort(Comparator.comparing(Point::x)),
                            () -> slice.forEach(_ -> {}),
                            () -> slice.stream().toList());
            String memory = String.format("memory at 0x%x, 24 bytes", slice.segment().address());
            assertThat(calls)
                    .allSatisfy(
                            call ->
                                    assertThatIllegalStateException()
                                            .isThrownBy(call)
                                            .withMessageContaining(memory));
        }
        assertThatIllegalStateException()
                .isThrownBy(() -> vec.add(new Point(1, 2)))
                .withMessageContaining("memory at 0x");
        assertThatIllegalStateException()
                .isThrownBy(() -> vec.forEach(_ -> {}))
                .withMessageContaining("memory at 0x");
    }

    @DisplayName("An exception of the program's own passes, even if its code ended the memory")
    @Test
    void forEach_endedByItsAction_passesTheExceptionOfTheAction() {
        Arena arena = Arena.ofShared();
        NativeSlice<Point> slice = NativeSlice.over(POINT, POINT.allocate(arena));
        CancellationException own = new CancellationException("mine");
        Throwable thrown =
                catchThrowable(
                        () ->
                                slice.forEach(
                                        _ -> {
                                            arena.close();
                                            throw own;
                                        }));
        assertThat(thrown).isSameAs(own);
    }

    @DisplayName("A view that cannot be read describes where it is, or was")
    @Test
    void toString_ofUnreadableView_showsThePlace() throws Exception {
        Pair view;
        try (NativeArray<Pair> pairs = NativeArray.zeroed(PAIR, 2)) {
            view = pairs.get(1);
            Pair seen = view;
            FutureTask<String> elsewhere = new FutureTask<>(seen::toString);
            Thread.ofPlatform().start(elsewhere);
            String place = String.format("at 0x%x, 8 bytes]", pairs.segment().address() + 8);
            assertThat(elsewhere.get()).isEqualTo("Pair[of another thread, " + place);
            assertThat(view).hasToString("Pair[first=Point[x=0, y=0]]");
        }
        assertThat(view.toString()).matches("Pair\\[closed, was at 0x[0-9a-f]+, 8 bytes]");
    }

    @DisplayName("A shared map and a shared array of numbers show that they are closed")
    @Test
    void toString_ofClosedSharedContainer_showsIt() {
        SharedMap<Point> map = NativeMap.create(POINT).share();
        SharedPrimitiveArray<NativeIntArray> numbers = NativeIntArray.zeroed(3).share();
        assertThat(map.toString()).isEqualTo("SharedMap[0 × Point, 0 leases]");
        assertThat(numbers.toString())
                .isEqualTo("SharedPrimitiveArray[NativeIntArray, 3 elements, 0 leases]");
        map.close();
        numbers.close();
        assertThat(map.toString()).isEqualTo("SharedMap[0 × Point, closed, 0 leases]");
        assertThat(numbers.toString())
                .isEqualTo("SharedPrimitiveArray[NativeIntArray, 3 elements, closed, 0 leases]");
    }

    @DisplayName("A capacity that cannot be is named as such")
    @Test
    void withCapacity_ofImpossibleNumber_namesTheCapacity() {
        KernelAllocator global = KernelAllocator.global();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeVec.withCapacity(global, POINT, -1))
                .withMessage("capacity=-1 must not be negative");
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> NativeVec.withCapacity(global, POINT, Long.MAX_VALUE / 2))
                .withMessageContaining("capacity=4611686018427387903");
    }
}
