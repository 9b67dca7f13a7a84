package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.arena.ArenaContract;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.CFunctions;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** What holds for boxes over every allocator; each test leaves as many live blocks as it found. */
@SuppressWarnings("try") // closing is what is tested
class BoxConformanceTest {

    record Point(int x, int y) {}

    /** With bytes behind the last whole word. */
    record Odd(long a, short b, byte c) {}

    interface Pair {
        long first();

        void first(long value);

        long second();

        void second(long value);
    }

    interface Message {
        long id();

        void id(long value);

        @Flexible
        long body(long index);

        void body(long index, long value);

        MemorySegment body();
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Odd> ODD = StructType.of(MethodHandles.lookup(), Odd.class);
    private static final StructType<Pair> PAIR = StructType.of(MethodHandles.lookup(), Pair.class);
    private static final StructType<Message> MESSAGE =
            StructType.of(MethodHandles.lookup(), Message.class);

    private static final ValueLayout.OfByte CHAR = ValueLayout.JAVA_BYTE;

    // ---- values -------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void updateWritesWhatAFunctionMakesOfTheValue(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    try (NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
                            NativeBox<Pair> viewed = NativeBox.zeroed(allocator, PAIR)) {
                        box.update(point -> new Point(point.y(), point.x()));
                        assertThat(box.get()).isEqualTo(new Point(2, 1));
                        viewed.update(
                                pair -> {
                                    pair.second(9);
                                    return pair;
                                });
                        assertThat(viewed.get().second()).isEqualTo(9);
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void anUpdateThatThrowsLeavesTheValue(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    try (NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2))) {
                        assertThatExceptionOfType(ArithmeticException.class)
                                .isThrownBy(() -> box.update(BoxConformanceTest::fail));
                        assertThatExceptionOfType(ArithmeticException.class)
                                .isThrownBy(() -> box.map(BoxConformanceTest::fail));
                        assertThat(box.get()).isEqualTo(new Point(1, 2));
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void swapExchangesAllBytesAndBoxesKeepTheirMemory(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    try (NativeBox<Odd> a =
                                    NativeBox.of(allocator, ODD, new Odd(1, (short) 2, (byte) 3));
                            NativeBox<Odd> b =
                                    NativeBox.of(
                                            PoolAllocator.shared(),
                                            ODD,
                                            new Odd(-1, (short) -2, (byte) -3))) {
                        long place = a.segment().address();
                        a.swap(b);
                        assertThat(a.get()).isEqualTo(new Odd(-1, (short) -2, (byte) -3));
                        assertThat(b.get()).isEqualTo(new Odd(1, (short) 2, (byte) 3));
                        assertThat(a.segment().address()).isEqualTo(place);
                        a.swap(a);
                        assertThat(a.get()).isEqualTo(new Odd(-1, (short) -2, (byte) -3));
                    }
                });
    }

    @Test
    void boxesOfDifferentStructsAreNotSwapped() {
        StructType<MemorySegment> four = StructType.of(MemoryLayout.sequenceLayout(4, CHAR));
        StructType<MemorySegment> five = StructType.of(MemoryLayout.sequenceLayout(5, CHAR));
        try (NativeBox<MemorySegment> a = NativeBox.zeroed(four);
                NativeBox<MemorySegment> b = NativeBox.zeroed(five);
                NativeBox<Message> two = NativeBox.zeroed(MESSAGE, 2);
                NativeBox<Message> three = NativeBox.zeroed(MESSAGE, 3)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> a.swap(b))
                    .withMessageContaining("4 bytes")
                    .withMessageContaining("5 bytes");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> two.swap(three))
                    .withMessageContaining("2 elements");
        }
    }

    @Test
    void aSwapThatCannotBeCompletedChangesNothing() {
        MemorySegment block = PoolAllocator.shared().allocateZeroed(8, 8);
        NativeBox<Point> closed = NativeBox.zeroed(POINT);
        closed.close();
        try (NativeBox<Point> box = NativeBox.of(POINT, new Point(1, 2));
                NativeBox<Point> readOnly =
                        NativeBox.adopt(PoolAllocator.shared(), POINT, block.asReadOnly())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> box.swap(readOnly))
                    .withMessageContaining("read-only");
            assertThatIllegalStateException().isThrownBy(() -> box.swap(closed));
            assertThatIllegalStateException().isThrownBy(() -> closed.swap(box));
            assertThat(box.get()).isEqualTo(new Point(1, 2));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aCopyHasTheSameBytesAndItsOwnLife(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
                    try (NativeBox<Point> copy = box.copy();
                            NativeBox<Point> elsewhere = box.copy(PoolAllocator.shared());
                            NativeBox<Point> mapped =
                                    box.map(point -> new Point(point.x() + 10, point.y()))) {
                        box.set(new Point(3, 4));
                        box.close();
                        assertThat(copy.get()).isEqualTo(new Point(1, 2));
                        assertThat(elsewhere.get()).isEqualTo(new Point(1, 2));
                        assertThat(mapped.get()).isEqualTo(new Point(11, 2));
                    }
                    assertThatIllegalStateException().isThrownBy(box::copy);
                });
    }

    @Test
    void mappingAViewChangesTheCopyAlone() {
        try (NativeBox<Pair> box = NativeBox.zeroed(PAIR);
                NativeBox<Pair> mapped =
                        box.map(
                                pair -> {
                                    pair.first(7);
                                    return pair;
                                })) {
            assertThat(mapped.get().first()).isEqualTo(7);
            assertThat(box.get().first()).isZero();
        }
    }

    // ---- flexible arrays ----------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void aBoxOfAFlexibleStructHasItsElements(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    try (NativeBox<Message> box = NativeBox.zeroed(allocator, MESSAGE, 100)) {
                        assertThat(box.elements()).isEqualTo(100);
                        assertThat(box.segment().byteSize()).isEqualTo(MESSAGE.byteSize(100));
                        assertThat(box.get().body().byteSize()).isEqualTo(800);
                        assertThat(ArenaContract.firstOtherThan(box.segment(), (byte) 0))
                                .isEqualTo(-1);
                        box.get().body(99, 7);
                        try (NativeBox<Message> copy = box.copy();
                                NativeBox<Message> attached = copy.copy().detach().attach()) {
                            assertThat(copy.elements()).isEqualTo(100);
                            assertThat(copy.get().body(99)).isEqualTo(7);
                            assertThat(attached.elements()).isEqualTo(100);
                            assertThat(attached.get().body(99)).isEqualTo(7);
                        }
                        assertThat(box.toString()).contains("808 bytes");
                    }
                    try (NativeBox<Message> none = NativeBox.uninitialized(allocator, MESSAGE, 0)) {
                        assertThat(none.elements()).isZero();
                        assertThat(none.segment().byteSize()).isEqualTo(MESSAGE.byteSize());
                    }
                    MemorySegment raw = allocator.allocate(MESSAGE.byteSize(3), 8);
                    try (NativeBox<Message> box = NativeBox.adopt(allocator, MESSAGE, 3, raw)) {
                        assertThat(box.elements()).isEqualTo(3);
                        assertThat(box.get().body().byteSize()).isEqualTo(24);
                    }
                });
    }

    @Test
    void elementsThatCannotBeAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> NativeBox.zeroed(MESSAGE, -1));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeBox.zeroed(MESSAGE, Long.MAX_VALUE));
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(() -> NativeBox.zeroed(POINT, 1));
    }

    // ---- adopting and releasing ---------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void anAdoptedBlockIsTheBoxsUntilItIsReleased(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    MemorySegment block = allocator.allocate(8, 8);
                    POINT.set(block, new Point(1, 2));
                    NativeBox<Point> box = NativeBox.adopt(allocator, POINT, block);
                    assertThat(box.get()).isEqualTo(new Point(1, 2));
                    assertThatIllegalArgumentException().isThrownBy(() -> allocator.free(block));
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> NativeBox.adopt(allocator, POINT, block));
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> allocator.reallocate(block, 16, 8));

                    MemorySegment raw = box.release();
                    assertThat(raw).isEqualTo(block);
                    assertThatIllegalStateException().isThrownBy(box::get);
                    assertThatIllegalStateException().isThrownBy(box::close);
                    assertThatIllegalStateException().isThrownBy(box::release);
                    assertThat(POINT.get(raw)).isEqualTo(new Point(1, 2));
                    allocator.free(raw);
                    assertThatIllegalArgumentException().isThrownBy(() -> allocator.free(raw));
                });
    }

    @ParameterizedTest
    @EnumSource
    void aReleasedBoxIsARawBlock(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    for (NativeBox<?> box :
                            List.of(
                                    NativeBox.of(allocator, POINT, new Point(1, 2)),
                                    NativeBox.zeroed(allocator, MESSAGE, 40_000))) {
                        long bytes = box.segment().byteSize();
                        MemorySegment raw = box.release();
                        assertThat(raw.byteSize()).isEqualTo(bytes);
                        assertThat(raw.scope()).isEqualTo(Arena.global().scope());
                        assertThat(allocator.usableSize(raw)).isGreaterThanOrEqualTo(bytes);
                        allocator.free(raw);
                    }
                });
    }

    /** A box that frees a block by its own size would file it under the wrong one. */
    @ParameterizedTest
    @EnumSource
    void aBlockLargerThanTheTypeGoesBackWhole(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    // As much as a process may lock that has no right to more.
                    long most = kind.isPhysical() ? 100_000 : 20L << 20;
                    for (long bytes : new long[] {8, 9, 100, 5000, 100_000, most}) {
                        for (int i = 0; i < 3; i++) {
                            MemorySegment large = allocator.allocate(bytes, 64);
                            NativeBox.adopt(allocator, POINT, large.asSlice(0, 8)).close();
                            try (NativeBox<Point> small =
                                    NativeBox.of(allocator, POINT, new Point(1, 2))) {
                                MemorySegment again = allocator.allocate(bytes, 64);
                                again.fill((byte) -1);
                                assertThat(small.get()).isEqualTo(new Point(1, 2));
                                allocator.free(again);
                            }
                        }
                    }
                });
    }

    @ParameterizedTest
    @EnumSource
    void whatIsNoFittingRawBlockIsNotAdopted(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    MemorySegment block = allocator.allocate(64, 64);
                    doesNotAdopt(allocator, block, "segment of 64 bytes");
                    doesNotAdopt(allocator, block.asSlice(8, 8), "0x");
                    doesNotAdopt(allocator, block.asSlice(1, 8), "is aligned to 4 bytes");
                    doesNotAdopt(allocator, MemorySegment.ofArray(new long[1]), "Java heap");
                    MemorySegment foreign = PoolAllocator.shared().allocate(8, 8);
                    doesNotAdopt(allocator, foreign, "0x");
                    PoolAllocator.shared().free(foreign);
                    try (NativeBox<Point> box = NativeBox.zeroed(allocator, POINT)) {
                        doesNotAdopt(allocator, box.segment(), "closed by another owner");
                    }
                    allocator.free(block); // no attempt has changed anything
                });
    }

    @Test
    void aBlockSmallerThanTheTypeIsNotAdopted() {
        try (PoolAllocator hardened = PoolAllocator.builder().hardened(true).build()) {
            MemorySegment four = hardened.allocate(4, 4);
            MemorySegment claimed = MemorySegment.ofAddress(four.address());
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeBox.adopt(hardened, POINT, claimed));
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> NativeBox.adopt(hardened, POINT, CFunctions.withSize(four, 8)))
                    .withMessageContaining("has 4 bytes, not 8");
            hardened.free(four);
        }
    }

    @Test
    void aReleasedBoxOfForeignMemoryIsTheSegmentThatWasAdopted() {
        MemorySegment block = PoolAllocator.shared().allocateZeroed(8, 8);
        List<MemorySegment> released = new ArrayList<>();
        NativeBox<Point> box = NativeBox.adopt(POINT, block, released::add);
        assertThat(box.release()).isSameAs(block);
        assertThatIllegalStateException().isThrownBy(box::close);
        assertThat(released).isEmpty();
        PoolAllocator.shared().free(block);
    }

    @Test
    void aCopyOfForeignMemoryIsTheGlobalAllocators() {
        MemorySegment block = PoolAllocator.shared().allocateZeroed(8, 8);
        POINT.set(block, new Point(1, 2));
        try (NativeBox<Point> box =
                        NativeBox.adopt(
                                POINT,
                                block.asReadOnly(),
                                _ -> PoolAllocator.shared().free(block));
                NativeBox<Point> copy = box.copy()) {
            copy.update(point -> new Point(point.x(), 5));
            assertThat(copy.get()).isEqualTo(new Point(1, 5));
            assertThat(box.get()).isEqualTo(new Point(1, 2));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> KernelAllocator.global().free(block(copy)));
        }
    }

    private static MemorySegment block(NativeBox<?> box) {
        return MemorySegment.ofAddress(box.segment().address());
    }

    @Test
    void anotherThreadCannotEndABoxInAnyWay() throws Exception {
        try (NativeBox<Point> box = NativeBox.of(POINT, new Point(1, 2));
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            for (Runnable end :
                    List.<Runnable>of(box::release, box::detach, box::close, box::copy)) {
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(() -> other.submit(end).get())
                        .withCauseInstanceOf(WrongThreadException.class);
            }
            assertThat(box.get()).isEqualTo(new Point(1, 2));
        }
    }

    // ---- for people ---------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void aBoxTellsPlaceSizeGuaranteeAndContents(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    try (NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(5, 6));
                            SharedBox<Point> shared =
                                    SharedBox.of(allocator, POINT, new Point(7, 8));
                            Lease<Point> lease = shared.lease()) {
                        String guarantee = kind.isPhysical() ? ", resident and locked" : "";
                        assertThat(box)
                                .hasToString(
                                        "NativeBox[Point[x=5, y=6], at 0x%x, 8 bytes%s]"
                                                .formatted(box.segment().address(), guarantee));
                        String place =
                                "at 0x%x, 8 bytes%s"
                                        .formatted(lease.segment().address(), guarantee);
                        assertThat(shared)
                                .hasToString(
                                        "SharedBox[Point[x=7, y=8], %s, 1 leases]"
                                                .formatted(place));
                        assertThat(lease)
                                .hasToString("Lease[Point[x=7, y=8], %s]".formatted(place));
                    }
                });
    }

    @Test
    @DisplayName("A null value is refused by its name, and no block is kept")
    void of_null_namesTheArgument() {
        try (PoolAllocator pool = PoolAllocator.create()) { // its close counts live blocks
            assertThatNullPointerException()
                    .isThrownBy(() -> NativeBox.of(pool, POINT, null))
                    .withMessage("value");
            assertThatNullPointerException()
                    .isThrownBy(() -> SharedBox.of(pool, POINT, null))
                    .withMessage("value");
        }
    }

    private static void doesNotAdopt(KernelAllocator allocator, MemorySegment block, String why) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeBox.adopt(allocator, POINT, block))
                .withMessageContaining(why);
    }

    private static Point fail(Point value) {
        throw new ArithmeticException();
    }
}
