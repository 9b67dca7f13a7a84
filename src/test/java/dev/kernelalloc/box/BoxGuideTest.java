package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.Handoff;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.TestSources;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;

/** The examples of docs/ownership.md: each part between the marks stands there, and runs here. */
class BoxGuideTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    record Point(int x, int y) {}

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);

    private final PoolAllocator allocator = PoolAllocator.create();

    @AfterEach
    void everyExampleGivesBackWhatItTakes() {
        allocator.close(); // throws when a block is alive
    }

    @Test
    void one() {
        // guide: one
        try (NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2))) {
            box.update(point -> new Point(point.x(), 3));
            try (NativeBox<Point> copy = box.copy()) {
                copy.set(new Point(9, 9));
                copy.swap(box);
            }
        }
        // end
    }

    @Test
    void flexible() {
        // guide: flexible
        interface Message {
            int length();

            void length(int value);

            @Flexible
            short body(long index);

            void body(long index, short value);
        }
        StructType<Message> message = StructType.of(MethodHandles.lookup(), Message.class);
        try (NativeBox<Message> box = NativeBox.zeroed(allocator, message, 10)) {
            box.get().length(10);
            box.get().body(9, (short) 7);
        }
        // end
    }

    @Test
    void raw() {
        // guide: raw
        MemorySegment block = allocator.allocate(POINT.byteSize(), POINT.byteAlignment());
        POINT.set(block, new Point(1, 2));
        NativeBox<Point> box = NativeBox.adopt(allocator, POINT, block); // the box's from here
        MemorySegment again = box.release(); // yours again, the box is dead
        allocator.free(again);
        // end
        assertThat(again).isEqualTo(block);
    }

    @Test
    void foreign() {
        MemorySegment fromC;
        try (Arena arena = Arena.ofConfined()) {
            fromC = CFunctions.withSize(CFunctions.strdup(arena.allocateFrom("1234567")), 8);
        }
        // guide: foreign
        try (NativeBox<Point> box = NativeBox.adopt(POINT, fromC, CFunctions::free)) {
            box.set(new Point(1, 2));
        } // free(fromC) is called here, once
        // end
    }

    @Test
    void handOver() throws Exception {
        BlockingQueue<Handoff<Point>> queue = new LinkedBlockingQueue<>();
        try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
            // guide: hand-over
            NativeBox<Point> mine = NativeBox.of(allocator, POINT, new Point(1, 2));
            queue.put(mine.detach()); // no copy; nobody can use the memory now
            threads.submit(
                            () -> {
                                try (NativeBox<Point> box = queue.take().attach()) {
                                    return box.get();
                                }
                            })
                    .get();
            // end
        }
    }

    @Test
    void discard() {
        BlockingQueue<Handoff<Point>> queue = new LinkedBlockingQueue<>(1);
        queue.add(NativeBox.zeroed(allocator, POINT).detach());
        NativeBox<Point> box = NativeBox.zeroed(allocator, POINT);
        // guide: discard
        Handoff<Point> handoff = box.detach();
        if (!queue.offer(handoff)) {
            handoff.discard(); // nobody will attach it
        }
        // end
        queue.remove().discard();
    }

    @Test
    void shared() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            // guide: shared
            SharedBox<Point> shared = SharedBox.of(allocator, POINT, new Point(1, 2));
            threads.submit(
                            () -> {
                                try (Lease<Point> lease = shared.lease()) {
                                    lease.set(new Point(lease.get().x(), 3));
                                }
                            })
                    .get();
            Point now = shared.get(); // a lease of its own
            shared.close(); // once; the block goes back when the last lease ends
            // end
            assertThat(now).isEqualTo(new Point(1, 3));
        }
    }

    @Test
    void sharedAndBack() {
        // guide: shared-and-back
        NativeBox<Point> first = NativeBox.of(allocator, POINT, new Point(1, 2)); // fill it alone
        SharedBox<Point> all = first.detach().share(); // then let all threads see it
        try (NativeBox<Point> last = all.detach().attach()) { // with no lease out, alone again
            last.set(new Point(0, 0));
        }
        // end
    }

    // ---- the guide itself ---------------------------------------------------------------------

    @Test
    void everyExampleOfTheGuideIsOneOfThese() throws IOException {
        String examples =
                Files.readString(
                        ROOT.resolve("src/test/java/dev/kernelalloc/box/BoxGuideTest.java"));
        assertThat(TestSources.groups(guide(), "(?ms)^```java\\n(.*?)^```$"))
                .containsExactlyInAnyOrderElementsOf(
                        TestSources.groups(examples, "(?ms)^ *// guide: \\S+\\n(.*?)^ *// end$"))
                .hasSize(8);
    }

    /** A test is named there as {@code `Class.method`}. */
    @Test
    void everyTestThatTheGuideNamesExists() throws IOException {
        List<String> named = TestSources.groups(guide(), "`(\\w+(?:Test|Contract)\\.\\w+)`");
        assertThat(named).hasSizeGreaterThan(20);
        for (String name : named) {
            int dot = name.indexOf('.');
            assertThat(Files.readString(TestSources.find(name.substring(0, dot))))
                    .contains("void " + name.substring(dot + 1) + "(");
        }
    }

    private static String guide() throws IOException {
        return Files.readString(ROOT.resolve("docs/ownership.md"));
    }
}
