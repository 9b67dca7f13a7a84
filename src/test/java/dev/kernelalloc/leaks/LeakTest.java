package dev.kernelalloc.leaks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.Handoff;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.LeakReport.Kind;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.atomic.AtomicReference;

/** What is dropped without being closed is reported once, with its place; what is closed is not. */
class LeakTest {

    private record Point(int x, int y) {}

    private interface View {
        long value();

        void value(long value);
    }

    private interface Message {
        int length();

        void length(int value);

        @Flexible
        short body(long index);

        void body(long index, short value);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<View> VIEW = StructType.of(MethodHandles.lookup(), View.class);
    private static final StructType<Message> MESSAGE =
            StructType.of(MethodHandles.lookup(), Message.class);

    private final Reports reports = new Reports();
    private final PoolAllocator pool =
            PoolAllocator.builder().tag("leaky").tracking(Tracking.ALL).onLeak(reports).build();

    /** What can be made of an allocator, and closed or not. */
    private enum Made {
        BOX(Kind.BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeBox.of(pool, POINT, new Point(1, 2));
            }
        },
        NUMBERS(Kind.CONTAINER, 24) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeLongArray.zeroed(pool, 3);
            }
        },
        BOX_OF_A_VIEW(Kind.BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeBox.zeroed(pool, VIEW);
            }
        },
        BOX_OF_A_FLEXIBLE_STRUCT(Kind.BOX, 24) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeBox.zeroed(pool, MESSAGE, 10);
            }
        },
        COPY_OF_A_BOX(Kind.BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                try (NativeBox<Point> box = NativeBox.zeroed(pool, POINT)) {
                    return box.copy();
                }
            }
        },
        ADOPTED_BOX(Kind.BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeBox.adopt(pool, POINT, pool.allocate(8, 8));
            }
        },
        SHARED_BOX(Kind.SHARED_BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return SharedBox.zeroed(pool, POINT);
            }
        },
        BOX_THAT_WAS_SHARED(Kind.SHARED_BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeBox.zeroed(pool, POINT).detach().share();
            }
        },
        SHARED_BOX_THAT_WAS_ATTACHED(Kind.BOX, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return SharedBox.zeroed(pool, POINT).detach().attach();
            }
        },
        HANDOFF(Kind.HANDOFF, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                Handoff<Point> handoff = NativeBox.zeroed(pool, POINT).detach();
                return handoff::discard;
            }
        },
        HANDOFF_OF_A_SHARED_BOX(Kind.HANDOFF, 8) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                Handoff<Point> handoff = SharedBox.zeroed(pool, POINT).detach();
                return handoff::discard;
            }
        },
        ARRAY(Kind.CONTAINER, 80) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeArray.zeroed(pool, POINT, 10);
            }
        },
        GROWN_VEC(Kind.CONTAINER, 0) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                NativeVec<Point> vec = NativeVec.create(pool, POINT);
                for (int i = 0; i < 1000; i++) {
                    vec.add(new Point(i, i));
                }
                return vec;
            }
        },
        VEC_OF_MANY_PAGES(Kind.CONTAINER, 0) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                NativeVec<Point> vec = NativeVec.withCapacity(pool, POINT, 1 << 20);
                vec.reserve(4 << 20);
                return vec;
            }
        },
        STRING(Kind.CONTAINER, 0) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                return NativeString.of(pool, "a text that nobody closes");
            }
        },
        ARENA(Kind.ARENA, 0) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                Arena arena = pool.arena();
                arena.allocate(100_000);
                return arena;
            }
        },
        SHARED_ARENA(Kind.SHARED_ARENA, 100_000) {
            @Override
            AutoCloseable by(PoolAllocator pool) {
                Arena arena = pool.sharedArena();
                arena.allocate(100_000);
                return arena;
            }
        };

        final Kind kind;

        /** As reported; 0 where the owner takes as much as it likes. */
        final long bytes;

        Made(Kind kind, long bytes) {
            this.kind = kind;
            this.bytes = bytes;
        }

        abstract AutoCloseable by(PoolAllocator pool);
    }

    @ParameterizedTest
    @EnumSource
    void whatIsDroppedIsReportedOnceWithItsPlace(Made made) {
        made.by(pool);
        LeakReport report = reports.one();
        assertThat(report.kind()).isEqualTo(made.kind);
        assertThat(report.tag()).isEqualTo("leaky");
        assertThat(report.site().getFirst().getClassName())
                .startsWith(LeakTest.class.getName() + "$Made");
        assertThat(report.site().getFirst().getMethodName()).isEqualTo("by");
        assertThat(report.site())
                .anyMatch(
                        frame ->
                                frame.getMethodName()
                                        .equals("whatIsDroppedIsReportedOnceWithItsPlace"));
        assertThat(report.address()).isNotZero();
        assertThat(report.bytes()).isPositive();
        if (made.bytes != 0) {
            assertThat(report.bytes()).isEqualTo(made.bytes);
        }
        assertThat(report.thread()).isEqualTo(Thread.currentThread().getName());
        assertThat(report.threadEnded()).isFalse();
        assertThat(pool.stats().liveBlocks()).as("nothing is repaired").isPositive();
    }

    @Test
    void whatIsClosedIsNotReported() throws Exception {
        for (Made made : Made.values()) {
            made.by(pool).close();
        }
        NativeBox<Point> released = NativeBox.zeroed(pool, POINT);
        pool.free(released.release());
        try (SharedBox<Point> box = SharedBox.zeroed(pool, POINT)) {
            box.lease().close();
        }
        assertThat(reports.settled()).isEmpty();
        pool.close();
    }

    @Test
    void aBoxThatCannotBeMadeIsNotReported() {
        try {
            NativeBox.adopt(pool, POINT, PoolAllocator.shared().allocate(8, 8));
        } catch (IllegalArgumentException _) {
            // it is another allocator's block
        }
        assertThat(reports.settled()).isEmpty();
    }

    @Test
    void aLeaseThatIsDroppedIsReportedAlsoWhenItsBoxIsNot() {
        SharedBox<Point> box = SharedBox.zeroed(pool, POINT);
        dropLease(box);
        LeakReport report = reports.one();
        assertThat(report.kind()).isEqualTo(Kind.LEASE);
        assertThat(report.site().getFirst().getMethodName()).isEqualTo("dropLease");
        assertThat(box.leases()).isOne();
    }

    private static void dropLease(SharedBox<Point> box) {
        Lease<Point> lease = box.lease();
        lease.set(new Point(1, 1));
    }

    @Test
    void aRecordGoesWithTheMemoryFromThreadToThread() throws Exception {
        AtomicReference<Handoff<Point>> onTheWay = new AtomicReference<>();
        runIn("maker", () -> onTheWay.set(NativeBox.zeroed(pool, POINT).detach()));
        assertThat(reports.settled()).as("nothing is lost on the way").isEmpty();
        runIn("taker", () -> onTheWay.getAndSet(null).attach());
        LeakReport report = reports.one();
        assertThat(report.kind()).isEqualTo(Kind.BOX);
        assertThat(report.thread()).isEqualTo("taker");
        assertThat(report.threadEnded()).isTrue();
        assertThat(report.site().getFirst().getMethodName()).contains("FromThreadToThread");
    }

    @Test
    void aBoxInReachThatHasOutlivedItsThreadIsReported() throws Exception {
        AtomicReference<NativeBox<Point>> kept = new AtomicReference<>();
        runIn("mortal", () -> kept.set(NativeBox.zeroed(pool, POINT)));
        LeakReport report = reports.one();
        assertThat(report.kind()).isEqualTo(Kind.BOX);
        assertThat(report.threadEnded()).isTrue();
        assertThat(report.toString()).contains("its thread has ended", "mortal");
        assertThat(kept.get().toString()).contains("of another thread");
        assertThat(pool.stats().liveBlocks()).isOne();
    }

    @Test
    void whatOtherThreadsMayCloseIsNotReportedWhenItsThreadEnds() throws Exception {
        AtomicReference<SharedBox<Point>> shared = new AtomicReference<>();
        AtomicReference<Handoff<Point>> handoff = new AtomicReference<>();
        AtomicReference<Arena> arena = new AtomicReference<>();
        runIn(
                "maker",
                () -> {
                    shared.set(SharedBox.zeroed(pool, POINT));
                    handoff.set(NativeBox.zeroed(pool, POINT).detach());
                    arena.set(pool.sharedArena());
                    arena.get().allocate(8);
                });
        AtomicReference<NativeBox<Point>> orphan = new AtomicReference<>();
        runIn("mortal", () -> orphan.set(NativeBox.zeroed(pool, POINT)));
        assertThat(reports.one().thread()).isEqualTo("mortal");
        shared.get().close();
        handoff.get().discard();
        arena.get().close();
    }

    @Test
    void anAllocatorOfLockedMemoryThatIsDroppedIsReported() {
        dropPhysical();
        LeakReport report = reports.one();
        assertThat(report.kind()).isEqualTo(Kind.ALLOCATOR);
        assertThat(report.tag()).isEqualTo("locked");
        assertThat(report.bytes()).isGreaterThanOrEqualTo(4096);
        assertThat(report.site().getFirst().getMethodName()).isEqualTo("physical");
    }

    private void dropPhysical() {
        PhysicalAllocator physical = physical();
        physical.free(physical.allocate(100, 8));
    }

    @Test
    void anAllocatorOfLockedMemoryThatIsClosedOrHoldsNoneIsNotReported() {
        physical();
        PhysicalAllocator physical = physical();
        physical.free(physical.allocate(100, 8));
        physical.close();
        assertThat(reports.settled()).isEmpty();
    }

    private PhysicalAllocator physical() {
        return PhysicalAllocator.builder().tag("locked").onLeak(reports).build();
    }

    @Test
    void aListenerThatThrowsKeepsNothingFromOthers() {
        PoolAllocator thrower =
                PoolAllocator.builder()
                        .tracking(Tracking.ALL)
                        .onLeak(
                                report -> {
                                    throw new AssertionError("thrown by a listener, to be logged");
                                })
                        .onLeak(reports)
                        .build();
        Made.BOX.by(thrower);
        assertThat(reports.one().kind()).isEqualTo(Kind.BOX);
        Made.ARRAY.by(thrower);
        Await.until(
                "the next report",
                () -> {
                    System.gc();
                    return reports.all().size() == 2;
                });
    }

    @Test
    void theLevelIsChangedWhileRunning() {
        pool.tracking(Tracking.OFF);
        assertThat(pool.tracking()).isEqualTo(Tracking.OFF);
        for (int i = 0; i < 10_000; i++) {
            Made.BOX.by(pool);
        }
        assertThat(reports.settled()).isEmpty();
        pool.tracking(Tracking.ALL);
        Made.BOX.by(pool);
        assertThat(reports.one().kind()).isEqualTo(Kind.BOX);
    }

    /**
     * Of 200,000 some 195, and at most one in a millisecond, where to make one costs less than to
     * track it.
     */
    @ParameterizedTest
    @EnumSource(names = {"BOX", "ARRAY"})
    void aSampleIsSmallerWhereThereAreMillions(Made what) {
        pool.tracking(Tracking.SAMPLED);
        long start = System.nanoTime();
        for (int i = 0; i < 200_000; i++) {
            what.by(pool);
        }
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertThat(reports.settled()).hasSizeBetween(1, (int) Math.min(390, millis + 1));
        assertThat(reports.all())
                .allSatisfy(report -> assertThat(report.site()).hasSizeBetween(1, 4))
                .allSatisfy(
                        report ->
                                assertThat(report.site().getFirst().getMethodName())
                                        .isEqualTo("by"));
    }

    private static void runIn(String thread, Runnable work) throws InterruptedException {
        Thread.ofPlatform().name(thread).start(work).join();
    }
}
