package dev.kernelalloc.snippets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import static java.nio.channels.FileChannel.MapMode.READ_WRITE;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.Handoff;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.map.MapLease;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.struct.Atomic;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** The examples of boxes and containers. */
class OwnerSnippetsTest {

    record Point(int x, int y) {}

    record Entry(long key, long value) {}

    interface Counter {
        int count();

        @Atomic("count")
        int getAndAddCount(int delta);
    }

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);
    static final StructType<Entry> ENTRY = StructType.of(MethodHandles.lookup(), Entry.class);
    static final StructType<Counter> COUNTER = StructType.of(MethodHandles.lookup(), Counter.class);

    @TempDir Path directory;

    @Test
    void nativeBox() {
        try (NativeBox<Point> box = NativeBox.of(POINT, new Point(1, 2))) {
            box.set(new Point(box.get().x(), 3));
        }
    }

    @Test
    void handoff() throws InterruptedException {
        BlockingQueue<Handoff<Point>> queue = new ArrayBlockingQueue<>(1);
        NativeBox<Point> box = NativeBox.of(POINT, new Point(1, 2));
        put(queue, box);
        Thread there =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    try {
                                        take(queue);
                                    } catch (InterruptedException e) {
                                        throw new AssertionError(e);
                                    }
                                });
        there.join();
        assertThat(queue).isEmpty();
        assertThatThrownBy(box::get).isInstanceOf(IllegalStateException.class);
    }

    private static void put(BlockingQueue<Handoff<Point>> queue, NativeBox<Point> box)
            throws InterruptedException {
        queue.put(box.detach());
    }

    private static void take(BlockingQueue<Handoff<Point>> queue) throws InterruptedException {
        try (NativeBox<Point> box = queue.take().attach()) {
            box.get();
        }
    }

    @Test
    void sharedBox() {
        SharedBox<Point> box = SharedBox.of(POINT, new Point(1, 2));
        try (Lease<Point> lease = box.lease()) {
            lease.set(new Point(lease.get().x(), 3));
        }
        box.close();
        assertThatThrownBy(box::lease).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void nativeArray() {
        try (NativeArray<Point> points = NativeArray.zeroed(POINT, 1_000_000)) {
            for (long i = 0; i < points.length(); i++) {
                points.set(i, new Point((int) i, -1));
            }
            points.slice(0, 1000).sortByLong(Point::y);
        }
    }

    @Test
    void sharedArray() throws IOException {
        SharedArray<Point> points = NativeArray.zeroed(POINT, 1_000_000).share();
        try (ArrayLease<Point> lease = points.lease()) {
            lease.set(0, new Point(1, 2));
            long sum = lease.stream().parallel().mapToLong(Point::x).sum();
        }
        points.close();
        assertThatThrownBy(points::lease).isInstanceOf(IllegalStateException.class);

        Path path = directory.resolve("log");
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE)) {
            SharedArray<Entry> log = SharedArray.map(ENTRY, file, MapMode.READ_WRITE, 0, 1 << 20);
        }
        assertThat(path).hasSize((1 << 20) * ENTRY.byteSize());
    }

    @Test
    void nativeSlice() throws IOException {
        Path path = Files.write(directory.resolve("points"), new byte[] {2, 0, 0, 0, 0, 0, 0, 0});
        try (FileChannel channel = FileChannel.open(path, READ, WRITE);
                Arena arena = Arena.ofConfined()) {
            MemorySegment file = channel.map(READ_WRITE, 0, channel.size(), arena);
            NativeSlice<Point> points = NativeSlice.over(POINT, file);
            points.sortByLong(Point::x);
            assertThat(points.get(0)).isEqualTo(new Point(2, 0));
        }
    }

    @Test
    void nativeVec() {
        try (NativeVec<Point> points = NativeVec.create(POINT)) {
            points.add(new Point(1, 2));
            points.add(new Point(3, 4));
            points.removeAt(0);
        }
    }

    @Test
    void nativeString() {
        try (NativeString path = NativeString.of("/tmp/größe")) {
            int file = open(path.cString(), 0);
        }
    }

    /** In place of open(2). */
    private static int open(MemorySegment path, int flags) {
        assertThat(path.getString(0)).isEqualTo("/tmp/größe");
        return flags;
    }

    @Test
    void nativeMap() {
        try (NativeMap<Point> points = NativeMap.create(POINT)) {
            points.put(42, new Point(1, 2));
            points.update(42, point -> new Point(point.x(), 3));
            Point point = points.get(42);
            points.remove(42);
        }
    }

    @Test
    void sharedMap() {
        NativeMap<Counter> map = NativeMap.create(COUNTER);
        map.put(42, COUNTER.get(COUNTER.allocate(Arena.ofAuto())));
        SharedMap<Counter> counters = map.share();
        try (MapLease<Counter> lease = counters.lease()) {
            lease.get(42).getAndAddCount(1);
        }
        counters.close();
        assertThatThrownBy(counters::lease).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void primitiveArray() {
        try (NativeLongArray longs = NativeLongArray.zeroed(1_000_000)) {
            for (long i = 0; i < longs.length(); i++) {
                longs.set(i, longs.get(i) - i);
            }
            longs.sort();
            long found = longs.binarySearch(-1);
        }
    }

    @Test
    void sharedPrimitiveArray() {
        SharedPrimitiveArray<NativeLongArray> counts = NativeLongArray.zeroed(1000).share();
        try (NativeLongArray lease = counts.lease()) {
            lease.set(0, 1);
        }
        counts.close();
        assertThatThrownBy(counts::lease).isInstanceOf(IllegalStateException.class);
    }
}
