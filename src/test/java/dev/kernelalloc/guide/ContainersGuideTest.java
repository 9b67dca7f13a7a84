package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.map.MapLease;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.primitive.NativeDoubleArray;
import dev.kernelalloc.primitive.NativeIntArray;
import dev.kernelalloc.primitive.NativeShortArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.ConcurrentModificationException;
import java.util.List;

/** The examples of docs/containers.md on arrays, vecs and strings. */
@SuppressWarnings("try") // what is taken over is closed by its new owner
class ContainersGuideTest {

    // guide: types
    record Point(int x, int y) {}

    interface Counter {
        long value();

        void value(long value);
    }

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);
    static final StructType<Counter> COUNTER = StructType.of(MethodHandles.lookup(), Counter.class);

    // end

    @Test
    void arrays() {
        // guide: arrays
        try (NativeArray<Point> points = NativeArray.zeroed(POINT, 1_000_000)) {
            for (long i = 0; i < points.length(); i++) {
                points.set(i, new Point((int) i, -1)); // a record is a copy
            }
            long sum = 0;
            for (long i = 0; i < points.length(); i++) {
                sum += points.get(i).x();
            }
            assertThat(sum).isEqualTo(499_999_500_000L);
        }
        // end
    }

    @Test
    void views() {
        // guide: views
        try (NativeArray<Counter> counters = NativeArray.zeroed(COUNTER, 8)) {
            Counter third = counters.view(2); // an interface is a live view
            third.value(third.value() + 1);
            assertThat(counters.get(2).value()).isEqualTo(1);
        }
        // end
    }

    @Test
    void slices() {
        // guide: slices
        NativeSlice<Point> rest;
        try (NativeArray<Point> points =
                NativeArray.of(POINT, new Point(3, 0), new Point(1, 0), new Point(2, 0))) {
            rest = points.slice(1, 3); // the same memory
            rest.set(0, new Point(9, 9));
            points.sort(Comparator.comparing(Point::x));
            long found = points.binarySearchByLong(9, Point::x);
            assertThat(found).isEqualTo(2);
        }
        NativeSlice<Point> dead = rest;
        assertThatIllegalStateException().isThrownBy(() -> dead.get(0)); // its owner is closed
        // end
    }

    @Test
    void shared() throws InterruptedException {
        // guide: shared
        SharedArray<Point> points = NativeArray.zeroed(POINT, 1_000_000).share();
        Thread writer =
                Thread.ofVirtual()
                        .start(
                                () -> {
                                    try (ArrayLease<Point> lease = points.lease()) {
                                        lease.fill(new Point(1, 2)); // all that a slice can do
                                    }
                                });
        writer.join();
        try (ArrayLease<Point> lease = points.lease()) {
            long sum = lease.stream().parallel().mapToLong(Point::y).sum();
            assertThat(sum).isEqualTo(2_000_000);
        }
        points.close(); // once; the block goes back when the last lease ends
        // end
    }

    @Test
    void numbers() {
        // guide: numbers
        try (NativeDoubleArray samples = NativeDoubleArray.zeroed(10_000_000)) {
            for (long i = 0; i < samples.length(); i++) {
                samples.set(i, Math.sin(i));
            }
            NativeDoubleArray last = samples.slice(9_000_000, 10_000_000); // the same memory
            last.sort();
            double largest = last.get(last.length() - 1);
            assertThat(last.stream().max()).hasValue(largest);

            NativeShortArray header = NativeShortArray.over(MemorySegment.ofArray(new byte[100]));
            assertThat(header.length()).isEqualTo(50);
        }
        // end
    }

    private static final VarHandle INT = ValueLayout.JAVA_INT.arrayElementVarHandle();

    @Test
    void sharedNumbers() {
        // guide: shared-numbers
        SharedPrimitiveArray<NativeIntArray> counts = NativeIntArray.zeroed(1000).share();
        try (NativeIntArray lease = counts.lease()) { // in any thread
            lease.set(7, lease.get(7) + 1);
            INT.getAndAdd(lease.segment(), 0L, 7L, 1); // atomic, beside other threads
        }
        try (NativeIntArray mine = counts.attach()) {
            assertThat(mine.get(7)).isEqualTo(2);
        }
        // end
    }

    @Test
    void handedOver() {
        // guide: handed-over
        SharedArray<Point> all = NativeArray.of(POINT, new Point(1, 2)).share();
        try (NativeArray<Point> mine = all.attach()) { // in any thread, with no lease out
            mine.set(0, new Point(3, 4));
        }
        // end
    }

    @Test
    void extents() {
        // guide: extents
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                NativeArray<Point> points = NativeArray.zeroed(physical, POINT, 10_000)) {
            for (PhysicalExtent piece : points.extents()) {
                start(piece.start().value(), piece.bytes()); // what a device is told
            }
        } catch (PhysicalAddressException e) {
            log(e.getMessage()); // why addresses are not known here, and what would help
        }
        // end
    }

    private static void start(long address, long bytes) {
        assertThat(address).isPositive();
        assertThat(bytes).isPositive();
    }

    private static void log(String message) {
        assertThat(message).isNotEmpty();
    }

    @Test
    void bulk() {
        // guide: bulk
        try (NativeArray<Point> points = NativeArray.zeroed(POINT, 2)) {
            points.copyFrom(new Point[] {new Point(1, 2), new Point(3, 4)});
            points.copyFrom(MemorySegment.ofArray(new int[] {1, 2, 3, 4})); // the same bytes
            Point[] copies = points.toArray(Point[]::new);
            List<Point> list = points.asList(); // no copy: it shows the array
            assertThat(list).containsExactly(copies);
            points.fill(new Point(0, 0));
        }
        // end
    }

    @Test
    void memoryOfOthers() {
        // guide: over
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment one = POINT.allocate(arena, new Point(1, 2));
            Counter counter = COUNTER.get(COUNTER.allocate(arena)); // a live view of zeros
            counter.value(POINT.get(one).y());

            NativeSlice<Point> points = NativeSlice.over(POINT, readPoints(arena));
            points.sortByLong(Point::x);
            assertThat(points.get(0)).isEqualTo(new Point(1, 4));
        }
        // end
    }

    @Test
    void memoryWithoutAnOwner() {
        // guide: auto
        Arena lifetime = KernelAllocator.global().autoArena();
        NativeSlice<Point> points = NativeSlice.over(POINT, lifetime.allocate(POINT.layout(), 3));
        points.set(2, new Point(1, 2)); // nothing to close
        // end
        assertThat(points.get(2)).isEqualTo(new Point(1, 2));
    }

    private static MemorySegment readPoints(Arena arena) {
        return arena.allocateFrom(ValueLayout.JAVA_INT, 3, 3, 1, 4);
    }

    @Test
    void mappedFiles(@TempDir Path directory) throws IOException {
        Path path = directory.resolve("log");
        // guide: mapped
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE);
                SharedArray<Point> log = SharedArray.map(POINT, file, MapMode.READ_WRITE, 0, 1000);
                ArrayLease<Point> lease = log.lease()) {
            lease.set(0, new Point(1, 2));
            file.force(false); // to the device
        }
        assertThat(Files.size(path)).isEqualTo(8000); // the file grew
        // end
    }

    @Test
    void vecs() {
        // guide: vecs
        try (NativeVec<Point> points = NativeVec.create(POINT)) {
            for (int i = 0; i < 1000; i++) {
                points.add(new Point(i, 0));
            }
            Point last = points.removeLast();
            points.removeIf(point -> point.x() % 2 == 0);
            points.slice().sort(Comparator.comparing(Point::x).reversed());
            assertThat(last).isEqualTo(new Point(999, 0));
            assertThat(points.get(0)).isEqualTo(new Point(997, 0));
        }
        // end
    }

    @Test
    void growing() {
        // guide: growing
        try (NativeVec<Counter> counters = NativeVec.create(COUNTER);
                NativeArray<Counter> one = NativeArray.zeroed(COUNTER, 1)) {
            counters.addAll(one);
            Counter first = counters.view(0);
            counters.reserve(1000); // moves
            assertThatIllegalStateException().isThrownBy(first::value); // not the old memory
            assertThat(counters.view(0).value()).isZero();
        }
        // end
    }

    @Test
    void maps() {
        // guide: maps
        try (NativeMap<Point> points = NativeMap.create(POINT);
                NativeMap<Counter> counters = NativeMap.create(COUNTER)) {
            points.put(42, new Point(1, 2));
            points.update(42, point -> new Point(point.x(), 3));
            assertThat(points.get(42)).isEqualTo(new Point(1, 3));
            assertThat(points.get(7)).isNull();

            Counter counter = counters.getOrAdd(42); // zeros, in place
            counter.value(counter.value() + 1);
            counters.removeIf((key, value) -> value.value() == 0);
            long sum = counters.keys().map(key -> counters.get(key).value()).sum();
            assertThat(sum).isEqualTo(1);
        }
        // end
    }

    @Test
    void sharedMaps() {
        // guide: shared-maps
        NativeMap<Counter> built = NativeMap.create(COUNTER);
        built.getOrAdd(42).value(1);
        SharedMap<Counter> shared = built.share();
        try (MapLease<Counter> lease = shared.lease()) { // in any thread
            assertThat(lease.get(42).value()).isEqualTo(1);
        }
        try (NativeMap<Counter> again = shared.attach()) {
            again.remove(42);
        }
        // end
    }

    @Test
    void calledCode() {
        // guide: called-code
        try (NativeVec<Point> points = NativeVec.create(POINT)) {
            points.add(new Point(1, 2));
            points.reserve(10);
            assertThatExceptionOfType(ConcurrentModificationException.class)
                    .isThrownBy(() -> points.forEach(points::add));
            points.addAll(points.stream().map(point -> new Point(point.y(), point.x())).toList());
            assertThat(points.size()).isEqualTo(2); // the refused point was not added
        }
        // end
    }

    @Test
    void handingOver() {
        // guide: handing-over
        NativeArray<Point> result;
        try (NativeVec<Point> points = NativeVec.create(POINT)) {
            points.add(new Point(1, 2));
            result = points.intoArray(); // nothing is copied; closing the vec does nothing now
        }
        try (result) {
            assertThat(result.get(0)).isEqualTo(new Point(1, 2));
        }
        // end
    }

    @Test
    void strings() {
        // guide: strings
        try (NativeString path = NativeString.of("/tmp/größe");
                NativeString.Builder builder = NativeString.builder()) {
            MemorySegment forC = path.cString(); // the bytes and a NUL
            builder.append(path).append("/").append(42);
            try (NativeString file = builder.build()) {
                assertThat(file.startsWith("/tmp")).isTrue();
                assertThat(file.indexOf("größe")).isEqualTo(5); // in bytes; nothing is decoded
                assertThat(file.toString()).isEqualTo("/tmp/größe/42");
            }
            assertThat(forC.getString(0)).isEqualTo("/tmp/größe");
        }
        // end
    }

    @Test
    void everywhere() {
        // guide: everywhere
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                NativeArray<Point> locked = NativeArray.zeroed(physical, POINT, 100);
                PoolAllocator pool = PoolAllocator.builder().tag("mine").build();
                NativeVec<Point> many = NativeVec.withCapacity(pool, POINT, 100)) {
            assertThat(locked.toString()).contains("resident and locked");
            many.addAll(locked);
        }
        // end
    }

    @Test
    void refusal() {
        // guide: refusal
        try (NativeVec<Point> points = NativeVec.create(KernelAllocator.global(), POINT)) {
            points.add(new Point(1, 2));
            try {
                points.reserve(Long.MAX_VALUE / 16);
            } catch (AllocationException e) {
                assertThat(points.get(0)).isEqualTo(new Point(1, 2)); // as it was
            }
        }
        // end
    }
}
