package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.heap.Chunk;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.ForwardingChunks;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.FullHeap;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** With no room left on the Java heap a pool refuses, loses nothing, and works again afterwards. */
class JavaHeapExhaustionTest {

    @ParameterizedTest
    @CsvSource({"false, false", "true, false", "false, true", "true, true"})
    void nothingIsLostWhereTheJavaHeapIsFull(boolean virtual, boolean hardened) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xmx20m", "-XX:+UseSerialGC", "-XX:-CreateCoredumpOnCrash")
                        .outputOf(FillTheHeap.class, "" + virtual, "" + hardened);
        assertThat(output)
                .contains("refused while it was full: true")
                .contains("alive while it was full: as many as were given")
                .contains("alive at the end: 0")
                .contains("chunks left: 0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"pool", "tracked pool", "hardened pool", "system heap"})
    void whatWasMadeBeforeCanBeClosedWhereTheJavaHeapIsFull(String allocator) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xmx20m", "-XX:+UseSerialGC", "-XX:-CreateCoredumpOnCrash")
                        .outputOf(CloseWhereFull.class, allocator);
        assertThat(output)
                .contains("alive before: 220")
                .containsPattern("closed then: (200|220)") // with or without the arenas
                .contains("alive after: 0");
    }

    /** Counts without a Java object. */
    private static final class CountedChunks extends ForwardingChunks {
        private final AtomicLong live;

        CountedChunks(ChunkSource source, AtomicLong live) {
            super(source);
            this.live = live;
        }

        @Override
        public Chunk obtain(long bytes, long alignment) throws Refusal {
            Chunk chunk = source.obtain(bytes, alignment);
            live.incrementAndGet();
            return chunk;
        }

        @Override
        public void release(Chunk chunk) {
            source.release(chunk);
            live.decrementAndGet();
        }
    }

    static final class FillTheHeap {
        private static final int THREADS = 10;
        private static final int CALLS = 40;

        /** One in twenty may be a large block, and lies in no slab then. */
        private static final int[] MOST_BYTES = new int[20];

        static {
            Arrays.fill(MOST_BYTES, 3000);
            MOST_BYTES[0] = 200_000;
            MOST_BYTES[1] = 32 << 20;
        }

        private FillTheHeap() {}

        static void main(String[] arguments) throws Exception {
            boolean virtual = Boolean.parseBoolean(arguments[0]);
            AtomicLong chunks = new AtomicLong();
            PoolAllocator pool =
                    PackageAccess.build(
                            PoolAllocator.builder().hardened(Boolean.parseBoolean(arguments[1])),
                            new CountedChunks(new SystemChunks(Platform.current()), chunks));
            // The JDK loads what it needs to end a thread when the first one ends.
            User first = new User(pool, THREADS, new AtomicBoolean(true));
            start(virtual, first).join();
            first.freeAll();
            pool.trim();

            AtomicBoolean full = new AtomicBoolean();
            User[] users = new User[THREADS];
            Thread[] threads = new Thread[THREADS];
            for (int i = 0; i < THREADS; i++) {
                users[i] = new User(pool, i, full);
                threads[i] = start(virtual, users[i]);
            }
            pause();
            Object[] filling = FullHeap.fill();
            full.set(true);
            for (int i = 0; i < THREADS; i++) {
                while (threads[i].isAlive()) {
                    pause();
                }
            }
            filling[0] = null;
            long refused = 0;
            long given = 0;
            for (User user : users) {
                refused += user.refused;
                given += user.count;
                if (user.failure != null) {
                    throw new AssertionError(user.failure);
                }
            }
            IO.println("refused while it was full: " + (refused > 0));
            long alive = pool.stats().liveBlocks();
            IO.println(
                    "alive while it was full: "
                            + (alive == given
                                    ? "as many as were given"
                                    : alive + ", but given " + given));
            for (User user : users) {
                user.freeAll();
            }
            IO.println("alive at the end: " + pool.stats().liveBlocks());
            pool.close();
            Await.until("all chunks back: " + pool.stats(), () -> chunks.get() == 0);
            IO.println("chunks left: " + chunks);
        }

        private static Thread start(boolean virtual, Runnable task) {
            return virtual ? Thread.ofVirtual().start(task) : Thread.ofPlatform().start(task);
        }

        /** By means that need nothing of the Java heap. */
        private static void pause() {
            if (Thread.currentThread().isVirtual()) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(100_000);
            }
        }

        /** Allocates and frees; what it needs of Java it has before. */
        private static final class User implements Runnable {
            private final PoolAllocator pool;
            private final AtomicBoolean start;
            private final int[] sizes = new int[CALLS];
            private final MemorySegment[] blocks = new MemorySegment[CALLS];
            private int count;
            private int refused;
            private Throwable failure;

            User(PoolAllocator pool, int seed, AtomicBoolean start) {
                this.pool = pool;
                this.start = start;
                Random random = new Random(seed);
                for (int i = 0; i < CALLS; i++) {
                    sizes[i] = random.nextInt(MOST_BYTES[random.nextInt(MOST_BYTES.length)]);
                }
            }

            @Override
            public void run() {
                while (!start.get()) {
                    pause();
                }
                for (int i = 0; i < CALLS; i++) {
                    try {
                        call(i);
                    } catch (AllocationException | OutOfMemoryError e) {
                        refused++;
                    } catch (Throwable e) {
                        failure = e;
                    }
                }
            }

            /** What is counted is what has returned; nothing between needs the Java heap. */
            private void call(int i) {
                if (i % 3 == 0) {
                    blocks[count] = pool.allocate(sizes[i], 8);
                    count++;
                } else if (i % 3 == 1) {
                    blocks[count] = pool.allocateZeroed(sizes[i], 8);
                    count++;
                } else if (count > 0) {
                    pool.free(blocks[count - 1]);
                    count--;
                }
            }

            void freeAll() {
                while (count > 0) {
                    pool.free(blocks[--count]);
                }
            }
        }
    }

    static final class CloseWhereFull {

        private record Pair(long a, long b) {}

        private interface Numbers {
            long first();

            @Flexible
            long other(long index);
        }

        private static final StructType<Numbers> NUMBERS =
                StructType.of(MethodHandles.lookup(), Numbers.class);
        private static final StructType<Pair> PAIR =
                StructType.of(MethodHandles.lookup(), Pair.class);

        private CloseWhereFull() {}

        static void main(String[] arguments) {
            KernelAllocator allocator =
                    switch (arguments[0]) {
                        case "pool" -> PoolAllocator.create();
                        case "tracked pool" ->
                                PoolAllocator.builder().tracking(Tracking.ALL).build();
                        case "hardened pool" -> PoolAllocator.builder().hardened(true).build();
                        default -> PoolAllocator.systemHeap();
                    };
            KernelAllocator other = PoolAllocator.create(); // tracks one of many
            for (int i = 0; i < 20; i++) { // loads and links what closing needs
                new Owners(arguments[0].equals("tracked pool") ? other : allocator).close();
            }
            Owners owners = new Owners(allocator);
            IO.println("alive before: " + allocator.stats().liveBlocks());
            Object[] filling = FullHeap.fill();
            owners.close();
            filling[0] = null;
            IO.println("closed then: " + owners.closed);
            owners.close(); // an arena that could not be closed is open still
            IO.println("alive after: " + allocator.stats().liveBlocks());
        }

        /** One block each. */
        private static final class Owners {
            private static final int OF_EACH = 20;

            private final KernelAllocator allocator;
            private final AutoCloseable[] owners = new AutoCloseable[9 * OF_EACH];
            private final MemorySegment[] raw = new MemorySegment[2 * OF_EACH];
            private int rawLeft = raw.length;
            private int closed;

            Owners(KernelAllocator allocator) {
                this.allocator = allocator;
                int count = 0;
                for (int i = 0; i < OF_EACH; i++) {
                    owners[count++] = NativeBox.of(allocator, PAIR, new Pair(i, i));
                    owners[count++] = NativeBox.zeroed(allocator, NUMBERS, 5);
                    MemorySegment adopted = allocator.allocate(PAIR.byteSize(), 8);
                    owners[count++] = NativeBox.adopt(allocator, PAIR, adopted);
                    owners[count++] = SharedBox.of(allocator, PAIR, new Pair(i, i));
                    owners[count++] = NativeArray.zeroed(allocator, PAIR, 10);
                    owners[count++] = NativeVec.copyOf(allocator, PAIR, List.of(new Pair(i, i)));
                    owners[count++] = NativeString.of(allocator, "text " + i);
                    owners[count++] = NativeLongArray.zeroed(allocator, 10);
                    Arena arena = allocator.arena();
                    arena.allocate(10);
                    owners[count++] = arena;
                    raw[2 * i] = allocator.allocate(100, 8);
                    raw[2 * i + 1] = allocator.allocate(100, 4096);
                }
            }

            /** Closes what can be closed of what is left. */
            void close() {
                for (int i = 0; i < owners.length; i++) {
                    try {
                        if (owners[i] != null) {
                            owners[i].close();
                            owners[i] = null;
                            closed++;
                        }
                    } catch (OutOfMemoryError e) {
                        // another time
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }
                while (rawLeft > 0) {
                    allocator.free(raw[rawLeft - 1]);
                    rawLeft--;
                    closed++;
                }
            }
        }
    }
}
