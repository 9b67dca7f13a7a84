package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.kernelalloc.Handoff;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Boxes of all threads, and hand-offs from one thread to another. */
@SuppressWarnings("try") // closing is what is tested
class SharedBoxTest {

    record Point(int x, int y) {}

    interface Pair {
        long first();

        void first(long value);

        long second();

        void second(long value);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Pair> PAIR = StructType.of(MethodHandles.lookup(), Pair.class);

    // ---- leases -------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void everyThreadReadsAndWritesThroughLeases(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    try (SharedBox<Point> box = SharedBox.of(allocator, POINT, new Point(1, 2))) {
                        assertThat(elsewhere(box::get)).isEqualTo(new Point(1, 2));
                        elsewhere(
                                () -> {
                                    box.set(new Point(3, 4));
                                    return "set";
                                });
                        try (Lease<Point> lease = box.lease()) {
                            assertThat(lease.get()).isEqualTo(new Point(3, 4));
                            lease.update(point -> new Point(point.y(), point.x()));
                            assertThat(lease.segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(4);
                            assertThat(lease.type()).isSameAs(POINT);
                        }
                        assertThat(box.get()).isEqualTo(new Point(4, 3));
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void theBlockGoesBackWhenTheLastLeaseEnds(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    long before = allocator.stats().liveBlocks();
                    SharedBox<Point> box = SharedBox.of(allocator, POINT, new Point(1, 2));
                    Lease<Point> one = box.lease();
                    Lease<Point> two = box.lease();
                    assertThat(box.leases()).isEqualTo(2);
                    box.close();
                    assertThat(one.get()).isEqualTo(new Point(1, 2));
                    one.close();
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before + 1);
                    two.set(new Point(3, 4));
                    assertThat(two.get()).isEqualTo(new Point(3, 4));
                    two.close();
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before);
                    assertThat(box.leases()).isZero();
                });
    }

    @Test
    void aClosedBoxHasNoNewLeasesAndIsClosedOnce() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            SharedBox<Point> box = SharedBox.zeroed(allocator, POINT);
            box.close();
            for (int i = 0; i < 3; i++) { // no refusal brings the box back, or its block twice
                assertThatIllegalStateException().isThrownBy(box::lease);
                assertThatIllegalStateException().isThrownBy(box::get);
                assertThatIllegalStateException().isThrownBy(() -> box.set(new Point(1, 1)));
                assertThatIllegalStateException().isThrownBy(box::close);
                assertThatIllegalStateException().isThrownBy(box::detach);
            }
            assertThat(allocator.stats().liveBlocks()).isZero();
            assertThat(box.leases()).isZero();
            assertThat(box.toString()).contains("closed").contains("0 leases");
        }
    }

    @Test
    void aRefusedLeaseKeepsNoBlockOfABoxThatIsClosed() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            SharedBox<Point> box = SharedBox.zeroed(allocator, POINT);
            Lease<Point> lease = box.lease();
            box.close();
            assertThatIllegalStateException().isThrownBy(box::lease);
            assertThat(allocator.stats().liveBlocks()).isEqualTo(1);
            lease.close();
            assertThat(allocator.stats().liveBlocks()).isZero();
        }
    }

    @Test
    void aLeaseBelongsToItsThreadAndDiesWithItsClose() throws Exception {
        try (SharedBox<Pair> box = SharedBox.zeroed(PAIR)) {
            Lease<Pair> lease = box.lease();
            Pair view = lease.get();
            MemorySegment segment = lease.segment();
            view.first(1);
            List<Callable<Object>> trespasses =
                    List.of(
                            view::first,
                            () -> lease.get().first(),
                            () -> segment.get(ValueLayout.JAVA_LONG, 0),
                            () -> {
                                lease.close();
                                return "closed";
                            });
            for (Callable<Object> trespass : trespasses) {
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(() -> elsewhere(trespass))
                        .withCauseInstanceOf(WrongThreadException.class);
            }
            assertThat(elsewhere(lease::toString)).startsWith("Lease<Pair>[of another thread, at");
            assertThat(box.leases()).isEqualTo(1);
            lease.close();
            assertThat(box.leases()).isZero();
            assertThatIllegalStateException().isThrownBy(view::first);
            assertThatIllegalStateException().isThrownBy(() -> view.first(2));
            assertThatIllegalStateException()
                    .isThrownBy(() -> segment.get(ValueLayout.JAVA_LONG, 0));
            assertThatIllegalStateException().isThrownBy(lease::close);
            assertThat(box.leases()).isZero();
            assertThat(lease.toString()).contains("closed");
        }
    }

    @Test
    void aLiveViewIsNotReturnedWithoutALease() {
        try (SharedBox<Pair> box = SharedBox.zeroed(PAIR)) {
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(box::get)
                    .withMessageContaining("take a lease()");
            assertThat(box.leases()).isZero();
        }
    }

    @Test
    void aValueThatCannotBeWrittenLeavesNoBlockBehind() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            assertThatNullPointerException().isThrownBy(() -> SharedBox.of(allocator, POINT, null));
            assertThat(allocator.stats().liveBlocks()).isZero();
        }
    }

    /** The count is what a program has to see it by; nothing gives the memory back behind it. */
    @Test
    void aLeaseOfADeadThreadKeepsTheBlockAndIsCounted() throws Exception {
        PoolAllocator allocator = PoolAllocator.create();
        SharedBox<Point> box = SharedBox.zeroed(allocator, POINT);
        Thread thread = Thread.ofPlatform().start(box::lease);
        thread.join();
        box.close();
        assertThat(box.leases()).isEqualTo(1);
        assertThat(box.toString()).contains("closed").contains("1 leases");
        assertThat(allocator.stats().liveBlocks()).isEqualTo(1);
        assertThatIllegalStateException()
                .isThrownBy(allocator::close)
                .withMessageContaining("1 live blocks");
    }

    @Test
    void boxesWithoutAnAllocatorUseTheGlobalOne() {
        long before = KernelAllocator.global().stats().liveBlocks();
        try (SharedBox<Point> value = SharedBox.of(POINT, new Point(5, 6));
                SharedBox<Point> zero = SharedBox.zeroed(POINT);
                SharedBox<Point> undefined = SharedBox.uninitialized(POINT)) {
            undefined.set(new Point(7, 8));
            assertThat(value.get()).isEqualTo(new Point(5, 6));
            assertThat(zero.get()).isEqualTo(new Point(0, 0));
            assertThat(undefined.get()).isEqualTo(new Point(7, 8));
            assertThat(KernelAllocator.global().stats().liveBlocks()).isEqualTo(before + 3);
        }
        assertThat(KernelAllocator.global().stats().liveBlocks()).isEqualTo(before);
    }

    // ---- hand-offs ----------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void aHandOffCarriesTheMemoryToAnotherThread(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
                    long place = box.segment().address();
                    Handoff<Point> handoff = box.detach();
                    assertThat(handoff.type()).isSameAs(POINT);
                    assertThatIllegalStateException().isThrownBy(box::get);
                    assertThatIllegalStateException().isThrownBy(box::close);
                    assertThatIllegalStateException().isThrownBy(box::detach);
                    Point there =
                            elsewhere(
                                    () -> {
                                        try (NativeBox<Point> attached = handoff.attach()) {
                                            assertThat(attached.segment().address())
                                                    .isEqualTo(place);
                                            return attached.get();
                                        }
                                    });
                    assertThat(there).isEqualTo(new Point(1, 2));
                    assertThatIllegalStateException().isThrownBy(handoff::attach);
                    assertThatIllegalStateException().isThrownBy(handoff::share);
                    assertThatIllegalStateException().isThrownBy(handoff::discard);
                    assertThat(handoff.toString()).contains("ended, was at");
                });
    }

    @ParameterizedTest
    @EnumSource
    void aBoxBecomesSharedAndConfinedAgain(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    SharedBox<Point> shared =
                            NativeBox.of(allocator, POINT, new Point(1, 2)).detach().share();
                    elsewhere(
                            () -> {
                                shared.set(new Point(3, 4));
                                return "set";
                            });
                    try (NativeBox<Point> box = shared.detach().attach()) {
                        assertThat(box.get()).isEqualTo(new Point(3, 4));
                        assertThatIllegalStateException().isThrownBy(shared::lease);
                        assertThatIllegalStateException().isThrownBy(shared::close);
                    }
                });
    }

    @Test
    void aSharedBoxWithLeasesIsNotDetached() {
        try (SharedBox<Point> box = SharedBox.of(POINT, new Point(1, 2))) {
            try (Lease<Point> lease = box.lease()) {
                assertThatIllegalStateException()
                        .isThrownBy(box::detach)
                        .withMessageContaining("1 leases are out");
                assertThat(lease.get()).isEqualTo(new Point(1, 2));
            }
            assertThat(box.get()).isEqualTo(new Point(1, 2));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aDiscardedHandOffGivesTheBlockBackOnce(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    Handoff<Point> handoff = NativeBox.zeroed(allocator, POINT).detach();
                    handoff.discard();
                    assertThatIllegalStateException().isThrownBy(handoff::discard);
                    assertThatIllegalStateException().isThrownBy(handoff::attach);
                });
    }

    @Test
    void anAbandonedHandOffIsReportedByItsAllocator() {
        PoolAllocator allocator = PoolAllocator.create();
        Handoff<Point> abandoned = NativeBox.zeroed(allocator, POINT).detach();
        assertThatIllegalStateException()
                .isThrownBy(allocator::close)
                .withMessageContaining("1 live blocks");
        abandoned.discard();
        assertThat(allocator.stats().liveBlocks()).isZero();
    }

    @Test
    void aBoxOfADeadThreadStaysCounted() throws Exception {
        PoolAllocator allocator = PoolAllocator.create();
        List<NativeBox<Point>> boxes = new ArrayList<>();
        Thread thread =
                Thread.ofPlatform().start(() -> boxes.add(NativeBox.zeroed(allocator, POINT)));
        thread.join();
        assertThatExceptionOfType(WrongThreadException.class).isThrownBy(boxes.getFirst()::close);
        assertThat(boxes.getFirst().toString()).contains("of another thread");
        assertThatIllegalStateException()
                .isThrownBy(allocator::close)
                .withMessageContaining("1 live blocks");
    }

    @Test
    void foreignMemoryIsReleasedByWhoEndsItLast() throws Exception {
        MemorySegment block = PoolAllocator.shared().allocateZeroed(8, 8);
        List<Thread> releasers = new ArrayList<>();
        SharedBox<Point> box =
                NativeBox.adopt(
                                POINT,
                                block.asReadOnly(),
                                _ -> {
                                    releasers.add(Thread.currentThread());
                                    PoolAllocator.shared().free(block);
                                })
                        .detach()
                        .share();
        Lease<Point> lease = box.lease();
        assertThat(lease.segment().isReadOnly()).isTrue();
        elsewhere(
                () -> {
                    box.close();
                    return "closed";
                });
        assertThat(releasers).isEmpty();
        lease.close();
        assertThat(releasers).containsExactly(Thread.currentThread());
    }

    private static <T> T elsewhere(Callable<T> work) throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            return other.submit(work).get();
        }
    }
}
