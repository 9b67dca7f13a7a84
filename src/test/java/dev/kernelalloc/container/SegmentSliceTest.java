package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.CELL;
import static dev.kernelalloc.container.NativeArrayTest.POINT;
import static dev.kernelalloc.container.NativeArrayTest.point;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.struct.Atomic;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.StructType;

import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/** Structs in memory of others: arenas, mapped files, memory of C, Java arrays. */
class SegmentSliceTest {

    interface Counter {
        long value();

        @Atomic("value")
        long getAndAddValue(long delta);
    }

    record Name(byte kind, @Length(8) String text) {}

    interface Packet {
        int length();

        @Flexible
        byte body(long index);
    }

    static final StructType<Counter> COUNTER = StructType.of(MethodHandles.lookup(), Counter.class);
    static final StructType<Name> NAME = StructType.of(MethodHandles.lookup(), Name.class);
    static final StructType<Packet> PACKET = StructType.of(MethodHandles.lookup(), Packet.class);

    @TempDir Path directory;

    // ---- StructType.allocate --------------------------------------------------------------------

    @Test
    @DisplayName("Any SegmentAllocator gives memory of the size and alignment of the struct")
    void allocate_anyAllocator_hasSizeAndAlignment() {
        byte[] dirty = new byte[64];
        java.util.Arrays.fill(dirty, (byte) -1);
        try (Arena arena = Arena.ofConfined();
                Arena pool = PoolAllocator.shared().arena()) {
            MemorySegment prefix = arena.allocateFrom(ValueLayout.JAVA_BYTE, dirty);
            for (SegmentAllocator allocator :
                    List.of(arena, pool, SegmentAllocator.slicingAllocator(prefix))) {
                MemorySegment cell = CELL.allocate(allocator);
                assertThat(cell.byteSize()).isEqualTo(CELL.byteSize());
                assertThat(cell.maxByteAlignment()).isGreaterThanOrEqualTo(CELL.byteAlignment());
                MemorySegment point = POINT.allocate(allocator, point(7));
                assertThat(POINT.get(point)).isEqualTo(point(7));
            }
            assertThat(CELL.get(CELL.allocate(arena)).key()).isZero();
            assertThat(PACKET.allocate(arena).byteSize()).isEqualTo(PACKET.byteSize());
        }
    }

    @Test
    @DisplayName("A value is written between paddings of zeros, whatever the memory held")
    void allocate_withValue_zeroesPaddings() {
        record Padded(byte small, long large) {}
        StructType<Padded> type = StructType.of(MethodHandles.lookup(), Padded.class);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment dirty = arena.allocate(16, 8).fill((byte) -1);
            MemorySegment padded =
                    type.allocate(SegmentAllocator.prefixAllocator(dirty), new Padded((byte) 1, 2));
            assertThat(padded.toArray(ValueLayout.JAVA_BYTE))
                    .startsWith(1, 0, 0, 0, 0, 0, 0, 0)
                    .hasSize(16);
            assertThat(type.get(padded)).isEqualTo(new Padded((byte) 1, 2));
        }
    }

    @Test
    @DisplayName("A null value is refused before memory is taken, a value that does not fit after")
    void allocate_valueUnfit_refused() {
        List<Long> taken = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            SegmentAllocator counted =
                    (bytes, alignment) -> {
                        taken.add(bytes);
                        return arena.allocate(bytes, alignment);
                    };
            Name none = nothing();
            assertThatNullPointerException().isThrownBy(() -> NAME.allocate(counted, none));
            assertThat(taken).isEmpty();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NAME.allocate(counted, new Name((byte) 1, "much too long")))
                    .withMessageContaining("much too long");
        }
    }

    @SuppressWarnings("NullAway") // what a caller without null checks passes
    private static <T> T nothing() {
        return null;
    }

    // ---- NativeSlice.over: what it is over ------------------------------------------------------

    @Property
    @Label("A segment is a slice exactly if it is whole elements at an aligned address")
    void over_anyPartOfASegment_acceptsWholeAlignedElements(
            @ForAll @IntRange(max = 64) int offset, @ForAll @IntRange(max = 200) int bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(264, 64);
            for (long i = 0; i < memory.byteSize(); i++) {
                memory.set(ValueLayout.JAVA_BYTE, i, (byte) (31 * i));
            }
            MemorySegment part = memory.asSlice(offset, bytes);
            boolean whole = bytes % 8 == 0 && offset % 4 == 0;
            if (!whole) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> NativeSlice.over(POINT, part));
                return;
            }
            NativeSlice<Point> points = NativeSlice.over(POINT, part);
            assertThat(points.length()).isEqualTo(bytes / 8);
            for (long i = 0; i < points.length(); i++) {
                assertThat(points.get(i)).isEqualTo(POINT.get(memory, offset + 8 * i));
            }
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> points.get(points.length()));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> points.set(-1, point(1)));
        }
    }

    @Property
    @Label("Sort, search and bulk operations do what they do in an array of the library")
    void over_sameElements_behavesAsAnArray(@ForAll List<Integer> keys) {
        Point[] values = keys.stream().map(key -> new Point(key, -key)).toArray(Point[]::new);
        try (Arena arena = Arena.ofConfined();
                NativeArray<Point> array = NativeArray.of(POINT, values)) {
            NativeSlice<Point> slice =
                    NativeSlice.over(POINT, arena.allocate(8L * values.length, 4));
            slice.copyFrom(values);
            array.sortByLong(Point::x);
            slice.sortByLong(Point::x);
            assertThat(slice.asList()).isEqualTo(array.asList());
            for (int key : keys) {
                assertThat(slice.binarySearchByLong(key, Point::x))
                        .isEqualTo(array.binarySearchByLong(key, Point::x));
            }
            slice.reverse();
            array.reverse();
            assertThat(slice.stream().toList()).isEqualTo(array.stream().toList());
        }
    }

    @Test
    @DisplayName("Types whose elements have no fixed or no size are refused")
    void over_elementsWithoutFixedSize_refused() {
        StructType<MemorySegment> empty = StructType.of(MemoryLayout.structLayout());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(64, 8);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeSlice.over(PACKET, memory))
                    .withMessageContaining("@Flexible");
            assertThatIllegalArgumentException().isThrownBy(() -> NativeSlice.over(empty, memory));
        }
    }

    @Test
    @DisplayName("A Java array is a slice where its elements are aligned enough")
    void over_javaArray_worksWhereAligned() {
        int[] numbers = {3, 30, 1, 10, 2, 20};
        NativeSlice.over(POINT, MemorySegment.ofArray(numbers)).sortByLong(Point::x);
        assertThat(numbers).containsExactly(1, 10, 2, 20, 3, 30);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeSlice.over(POINT, MemorySegment.ofArray(new byte[16])))
                .withMessageContaining("needs 4");
    }

    // ---- write protection, life and threads -----------------------------------------------------

    @Test
    @DisplayName("Every write to a read-only segment is refused, and changes nothing")
    void over_readOnlySegment_refusesWrites() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_INT, 2, 0, 1, 0, 3, 0);
            byte[] before = memory.toArray(ValueLayout.JAVA_BYTE);
            NativeSlice<Point> points = NativeSlice.over(POINT, memory.asReadOnly());
            for (ThrowingCallable write :
                    List.<ThrowingCallable>of(
                            () -> points.set(0, point(9)),
                            () -> points.fill(point(9)),
                            () -> points.swap(0, 1),
                            points::reverse,
                            () -> points.sortByLong(Point::x),
                            () -> points.update(0, p -> p),
                            () -> points.copyFrom(points.toArray(Point[]::new)),
                            () -> points.copyFrom(NativeSlice.over(POINT, memory)))) {
                assertThatIllegalArgumentException().isThrownBy(write);
            }
            assertThat(memory.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
            assertThat(points.asList()).extracting(Point::x).containsExactly(2, 1, 3);
        }
    }

    @Test
    @DisplayName("A fill leaves its value nowhere but in the elements")
    void fill_leavesNoCopyInThePool() {
        int secret = 0x5ec7_e7ed;
        PoolAllocator pool = PoolAllocator.shared();
        try (NativeArray<Point> points = NativeArray.zeroed(POINT, 100)) {
            points.fill(point(secret));
            long bytes = points.segment().byteSize();
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                blocks.add(pool.allocate(bytes, POINT.byteAlignment()));
            }
            assertThat(blocks)
                    .noneMatch(
                            block ->
                                    IntStream.of(block.toArray(ValueLayout.JAVA_INT))
                                            .anyMatch(word -> word == secret));
            blocks.forEach(pool::free);
        }
    }

    @Test
    @DisplayName("After the arena's end every access throws, views and sub-slices included")
    void over_closedArena_isDead() {
        NativeSlice<Counter> all;
        NativeSlice<Counter> part;
        Counter view;
        try (Arena arena = Arena.ofConfined()) {
            all = NativeSlice.over(COUNTER, arena.allocate(64, 8));
            part = all.slice(2, 4);
            view = all.view(1);
        }
        assertThatIllegalStateException().isThrownBy(() -> all.get(0).value());
        assertThatIllegalStateException().isThrownBy(() -> part.get(0).value());
        assertThatIllegalStateException().isThrownBy(view::value);
        assertThatIllegalStateException().isThrownBy(() -> all.stream().toList().get(0).value());
        assertThat(all.toString()).contains("closed");
    }

    @Test
    @DisplayName("A comparator that closes the arena ends the sort with an exception")
    void sort_comparatorClosesArena_throws() {
        Arena arena = Arena.ofConfined();
        NativeSlice<Point> points = NativeSlice.over(POINT, arena.allocate(8 * 100, 4));
        assertThatIllegalStateException()
                .isThrownBy(
                        () ->
                                points.sort(
                                        (one, other) -> {
                                            if (arena.scope().isAlive()) {
                                                arena.close();
                                            }
                                            return 1;
                                        }));
    }

    @Test
    @DisplayName("A confined segment is refused to other threads, a parallel stream included")
    void over_confinedSegment_refusesOtherThreads() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            NativeSlice<Point> points = NativeSlice.over(POINT, arena.allocate(8 * 100_000, 4));
            for (Callable<?> access :
                    List.<Callable<?>>of(
                            () -> points.get(0),
                            () -> {
                                points.forEach(_ -> {});
                                return 0;
                            },
                            () -> {
                                points.sort(Comparator.comparing(Point::x));
                                return 0;
                            })) {
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(() -> elsewhere(access))
                        .withCauseInstanceOf(WrongThreadException.class);
            }
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(
                            () ->
                                    elsewhere(
                                            () ->
                                                    points.stream().parallel().count()
                                                            + points.stream()
                                                                    .parallel()
                                                                    .mapToInt(Point::x)
                                                                    .sum()))
                    .withCauseInstanceOf(WrongThreadException.class);
        }
    }

    @Test
    @DisplayName("All threads use a shared segment at once: streams in parallel, atomic additions")
    void over_sharedSegment_isForAllThreads() throws Exception {
        int length = 100_000;
        int threads = 3;
        try (Arena arena = Arena.ofShared();
                ExecutorService workers = Executors.newFixedThreadPool(threads)) {
            NativeSlice<Counter> counters =
                    NativeSlice.over(COUNTER, arena.allocate(8L * length, 8));
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                running.add(
                        workers.submit(
                                () -> {
                                    counters.forEach(counter -> counter.getAndAddValue(1));
                                    counters.slice(0, 1000)
                                            .forEach(_ -> counters.view(0).getAndAddValue(1));
                                }));
            }
            for (Future<?> each : running) {
                each.get();
            }
            assertThat(counters.stream().parallel().mapToLong(Counter::value).sum())
                    .isEqualTo(threads * (length + 1000L));
            assertThat(counters.view(0).value()).isEqualTo(threads * 1001L);
            assertThat(counters.slice(1, length).stream().parallel())
                    .allMatch(counter -> counter.value() == threads);
        }
    }

    @Test
    @DisplayName("A split stream visits every element once, in order")
    void stream_split_visitsAllInOrder() {
        Random random = new Random(5);
        for (int length : new int[] {0, 1, 2, 3, 1000}) {
            int[] numbers = random.ints(2L * length).toArray();
            NativeSlice<Point> points = NativeSlice.over(POINT, MemorySegment.ofArray(numbers));
            assertThat(points.stream().parallel().map(Point::x).toList())
                    .isEqualTo(IntStream.range(0, length).mapToObj(i -> numbers[2 * i]).toList());
        }
    }

    // ---- mapped files ---------------------------------------------------------------------------

    @Test
    @DisplayName("A mapped file is sorted where it is: the file has the result")
    void over_mappedFile_changesTheFile() throws IOException {
        Path path = directory.resolve("points");
        ByteBuffer bytes = ByteBuffer.allocate(8 * 1000).order(ByteOrder.nativeOrder());
        new Random(1).ints(1000).forEach(x -> bytes.putInt(x).putInt(-x));
        Files.write(path, bytes.array());
        try (Arena arena = Arena.ofConfined();
                FileChannel file = FileChannel.open(path, READ, WRITE)) {
            NativeSlice<Point> points =
                    NativeSlice.over(POINT, file.map(MapMode.READ_WRITE, 0, file.size(), arena));
            points.sortByLong(Point::x);
        }
        ByteBuffer sorted =
                ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.nativeOrder());
        int last = Integer.MIN_VALUE;
        while (sorted.hasRemaining()) {
            int x = sorted.getInt();
            assertThat(x).isGreaterThanOrEqualTo(last);
            assertThat(sorted.getInt()).isEqualTo(-x);
            last = x;
        }
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, disabledReason = "/proc shows what is mapped")
    @DisplayName("A mapping for all threads ends with the last lease, not with close")
    void map_closedUnderALease_unmapsWithTheLastLease() throws Exception {
        Path path = directory.resolve("log");
        SharedArray<Point> log;
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE)) {
            log = SharedArray.map(POINT, file, MapMode.READ_WRITE, 8, 1000);
        }
        assertThat(Files.size(path)).isEqualTo(8 + 8 * 1000);
        try (ArrayLease<Point> lease = log.lease()) {
            elsewhere(
                    () -> {
                        try (ArrayLease<Point> other = log.lease()) {
                            other.fill(point(3));
                        }
                        log.close();
                        return "closed";
                    });
            assertThat(mappings(path)).isEqualTo(1);
            assertThat(lease.stream().parallel().mapToInt(Point::x).sum()).isEqualTo(3000);
            assertThatIllegalStateException().isThrownBy(log::lease);
        }
        assertThat(mappings(path)).isZero();
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.nativeOrder());
        assertThat(bytes.getLong(0)).isZero();
        assertThat(bytes.getInt(8)).isEqualTo(point(3).x());
    }

    @Test
    @DisplayName("Two arrays over one file show each other's writes, as two processes do")
    void map_twice_sharesTheBytes() throws IOException {
        Path path = directory.resolve("shared");
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE);
                SharedArray<Counter> one =
                        SharedArray.map(COUNTER, file, MapMode.READ_WRITE, 0, 4);
                SharedArray<Counter> other =
                        SharedArray.map(COUNTER, file, MapMode.READ_ONLY, 0, 4);
                ArrayLease<Counter> writer = one.lease();
                ArrayLease<Counter> reader = other.lease()) {
            writer.view(3).getAndAddValue(42);
            assertThat(reader.view(3).value()).isEqualTo(42);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> reader.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(reader::extents);
        }
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, disabledReason = "/proc shows what is mapped")
    @DisplayName("What cannot be mapped is refused, and leaves no mapping")
    void map_refused_leavesNothing() throws IOException {
        Path path = directory.resolve("refused");
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SharedArray.map(POINT, file, MapMode.READ_WRITE, 2, 1))
                    .withMessageContaining("misaligned");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SharedArray.map(POINT, file, MapMode.READ_WRITE, 0, -1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SharedArray.map(PACKET, file, MapMode.READ_WRITE, 0, 1));
            try (SharedArray<Point> mapped =
                    SharedArray.map(POINT, file, MapMode.READ_WRITE, 0, 1)) {
                assertThatExceptionOfType(UnsupportedOperationException.class)
                        .isThrownBy(mapped::attach);
                assertThat(mappings(path)).isEqualTo(1);
            }
        }
        try (FileChannel file = FileChannel.open(path, READ)) {
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> SharedArray.map(POINT, file, MapMode.READ_ONLY, 0, 1000));
        }
        assertThat(mappings(path)).isZero();
    }

    private static long mappings(Path path) throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.endsWith(path.toString())).count();
        }
    }

    private static <T> T elsewhere(Callable<T> work) throws Exception {
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            return thread.submit(work).get();
        }
    }
}
