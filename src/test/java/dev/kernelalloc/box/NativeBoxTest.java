package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.GuardedChunks;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.CFunctions;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

@SuppressWarnings("try") // closing is what is tested
class NativeBoxTest {

    record Point(int x, int y) {}

    @Struct(align = 4096)
    interface Vmxon {
        int revisionId();

        void revisionId(int value);

        @Length(4092)
        MemorySegment data();
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Vmxon> VMXON =
            StructType.of(MethodHandles.lookup(), Vmxon.class);

    static List<Supplier<KernelAllocator>> allocators() {
        return List.of(
                PoolAllocator::create,
                () -> PoolAllocator.builder().hardened(true).build(),
                () -> PoolAllocator.builder().cacheBytes(0, 0).build(),
                () -> PackageAccess.build(PoolAllocator.builder(), new GuardedChunks()),
                PhysicalAllocator::create);
    }

    @ParameterizedTest
    @MethodSource("allocators")
    void aBoxHoldsARecordByCopy(Supplier<KernelAllocator> allocators) {
        try (KernelAllocator allocator = allocators.get();
                NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2))) {
            assertThat(box.get()).isEqualTo(new Point(1, 2));
            box.set(new Point(3, 4));
            assertThat(box.get()).isEqualTo(new Point(3, 4));
            assertThat(box.segment().get(ValueLayout.JAVA_INT, 4)).isEqualTo(4);
            assertThat(box.segment().byteSize()).isEqualTo(POINT.byteSize());
            assertThat(box.type()).isSameAs(POINT);
        }
    }

    @ParameterizedTest
    @MethodSource("allocators")
    void aBoxShowsAnInterfaceAsALiveView(Supplier<KernelAllocator> allocators) {
        try (KernelAllocator allocator = allocators.get();
                NativeBox<Vmxon> box = NativeBox.zeroed(allocator, VMXON)) {
            Vmxon vmxon = box.get();
            vmxon.revisionId(0x2A);
            vmxon.data().set(ValueLayout.JAVA_BYTE, 4091, (byte) 7);
            assertThat(box.segment().address() % 4096).isZero();
            assertThat(box.segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(0x2A);
            assertThat(box.segment().get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) 7);
            assertThat(box.get().revisionId()).isEqualTo(0x2A);
        }
    }

    @ParameterizedTest
    @MethodSource("allocators")
    void aZeroedBoxIsZeroAlsoWhereABoxWasWrittenBefore(Supplier<KernelAllocator> allocators) {
        try (KernelAllocator allocator = allocators.get()) {
            for (int i = 0; i < 20; i++) {
                try (NativeBox<Vmxon> box = NativeBox.uninitialized(allocator, VMXON)) {
                    box.segment().fill((byte) -1);
                }
                try (NativeBox<Vmxon> box = NativeBox.zeroed(allocator, VMXON)) {
                    assertThat(box.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("allocators")
    void nothingReachesTheMemoryOfAClosedBox(Supplier<KernelAllocator> allocators) {
        try (KernelAllocator allocator = allocators.get()) {
            NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
            NativeBox<Vmxon> viewed = NativeBox.zeroed(allocator, VMXON);
            Vmxon view = viewed.get();
            MemorySegment inner = view.data();
            assertThat(allocator.stats().liveBlocks()).isEqualTo(2);
            box.close();
            viewed.close();
            assertThat(allocator.stats().liveBlocks()).isZero();

            assertThatIllegalStateException().isThrownBy(box::get);
            assertThatIllegalStateException().isThrownBy(() -> box.set(new Point(0, 0)));
            assertThatIllegalStateException()
                    .isThrownBy(() -> box.segment().get(ValueLayout.JAVA_INT, 0));
            assertThatIllegalStateException().isThrownBy(view::revisionId);
            assertThatIllegalStateException().isThrownBy(() -> view.revisionId(1));
            assertThatIllegalStateException().isThrownBy(() -> inner.get(ValueLayout.JAVA_BYTE, 0));
            assertThatIllegalStateException().isThrownBy(box::close);
            assertThat(box.toString()).contains("closed");
        }
    }

    @ParameterizedTest
    @MethodSource("allocators")
    void aBoxBelongsToItsThread(Supplier<KernelAllocator> allocators) throws Exception {
        try (KernelAllocator allocator = allocators.get();
                NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            List<Callable<Object>> trespasses = new ArrayList<>();
            trespasses.add(box::get);
            trespasses.add(
                    () -> {
                        box.set(new Point(9, 9));
                        return "set";
                    });
            trespasses.add(() -> box.segment().get(ValueLayout.JAVA_INT, 0));
            trespasses.add(
                    () -> {
                        box.close();
                        return "closed";
                    });
            for (Callable<Object> trespass : trespasses) {
                assertThat(other.submit(trespass))
                        .failsWithin(java.time.Duration.ofMinutes(5))
                        .withThrowableThat()
                        .withCauseInstanceOf(WrongThreadException.class);
            }
            assertThat(other.submit(box::close))
                    .failsWithin(java.time.Duration.ofMinutes(5))
                    .withThrowableThat()
                    .havingCause()
                    .withMessageStartingWith("wrong thread: NativeBox<Point>[")
                    .withMessageContaining(
                            "confined to " + Thread.currentThread() + ", not Thread");
            assertThat(other.submit(box::toString).get()).contains("of another thread");
            assertThat(box.get()).isEqualTo(new Point(1, 2));
        }
    }

    @ParameterizedTest
    @MethodSource("allocators")
    void theBlockOfABoxCannotBeFreedByHand(Supplier<KernelAllocator> allocators) {
        try (KernelAllocator allocator = allocators.get();
                NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2))) {
            assertThatIllegalArgumentException().isThrownBy(() -> allocator.free(box.segment()));
            MemorySegment copy = MemorySegment.ofAddress(box.segment().address());
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> allocator.free(copy))
                    .withMessageContaining("a box or an arena, whose close frees it");
            assertThat(box.get()).isEqualTo(new Point(1, 2));
        }
    }

    /** Rounded up to its alignment its size overflows: the smallest of blocks would be enough. */
    @Test
    void aLayoutThatNoMemoryCanHoldIsRefused() {
        MemoryLayout longs =
                MemoryLayout.sequenceLayout(Long.MAX_VALUE / 8, ValueLayout.JAVA_LONG)
                        .withByteAlignment(4096);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> StructType.of(longs))
                .withMessageContaining("aligned to 4096");
    }

    @Test
    void aValueThatCannotBeWrittenLeavesNoBlockBehind() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            assertThatExceptionOfType(NullPointerException.class)
                    .isThrownBy(() -> NativeBox.of(allocator, POINT, null));
            assertThat(allocator.stats().liveBlocks()).isZero();
        }
    }

    @Test
    void anAllocatorClosedBeforeItsBoxesReportsThemAndTheyStayValid() {
        PoolAllocator allocator = PoolAllocator.create();
        NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
        assertThatIllegalStateException()
                .isThrownBy(allocator::close)
                .withMessageContaining("1 live blocks (8 bytes)");
        assertThatIllegalStateException().isThrownBy(() -> NativeBox.zeroed(allocator, POINT));
        assertThat(box.get()).isEqualTo(new Point(1, 2));
        box.close();
        assertThat(allocator.stats().liveBlocks()).isZero();
    }

    @Test
    void boxesWithoutAnAllocatorUseTheGlobalOne() {
        long before = KernelAllocator.global().stats().liveBlocks();
        try (NativeBox<Point> value = NativeBox.of(POINT, new Point(5, 6));
                NativeBox<Point> zero = NativeBox.zeroed(POINT);
                NativeBox<Point> undefined = NativeBox.uninitialized(POINT)) {
            assertThat(value.get()).isEqualTo(new Point(5, 6));
            assertThat(zero.get()).isEqualTo(new Point(0, 0));
            undefined.set(new Point(7, 8));
            assertThat(undefined.get()).isEqualTo(new Point(7, 8));
            assertThat(KernelAllocator.global().stats().liveBlocks()).isEqualTo(before + 3);
        }
        assertThat(KernelAllocator.global().stats().liveBlocks()).isEqualTo(before);
    }

    @Test
    void aBoxSaysWhatItHoldsAndWhere() {
        try (NativeBox<Point> box = NativeBox.of(POINT, new Point(5, 6))) {
            assertThat(box.toString())
                    .contains("Point")
                    .contains("x=5")
                    .contains("y=6")
                    .contains("0x%x, 8 bytes".formatted(box.segment().address()));
        }
    }

    // ---- memory that came from C --------------------------------------------------------------

    @Test
    void anAdoptedBoxOwnsMemoryOfCAndReleasesItOnce() {
        MemorySegment text;
        try (Arena arena = Arena.ofConfined()) {
            text = CFunctions.withSize(CFunctions.strdup(arena.allocateFrom("1234567")), 8);
        }
        List<MemorySegment> released = new ArrayList<>();
        NativeBox<Point> box =
                NativeBox.adopt(
                        POINT,
                        text,
                        segment -> {
                            released.add(segment);
                            CFunctions.free(segment);
                        });
        assertThat(box.get().x()).isEqualTo(0x34333231);
        box.set(new Point(1, 2));
        assertThat(released).isEmpty();
        box.close();
        assertThat(released).containsExactly(text);
        assertThatIllegalStateException().isThrownBy(box::close);
        assertThatIllegalStateException().isThrownBy(box::get);
        assertThat(released).hasSize(1);
    }

    @Test
    void memoryThatDoesNotFitTheTypeIsNotAdopted() {
        MemorySegment block = PoolAllocator.shared().allocate(4096, 4096);
        doesNotAdopt(MemorySegment.ofArray(new long[1]), "Java heap");
        doesNotAdopt(block.asSlice(0, 7), "segment of 7 bytes");
        doesNotAdopt(block.asSlice(0, 9), "has 8 bytes");
        doesNotAdopt(block.asSlice(1, 8), "is aligned to 4 bytes");
        doesNotAdopt(MemorySegment.ofAddress(block.address()), "segment of 0 bytes");
        doesNotAdopt(CFunctions.withSize(MemorySegment.NULL, 8), "check for NULL first");
        try (Arena arena = Arena.ofConfined()) {
            doesNotAdopt(arena.allocate(8, 8), "closed by another owner");
        }
        PoolAllocator.shared().free(block);
    }

    @Test
    void aBoxIsNotAdoptedWithoutAWayToReleaseIt() {
        MemorySegment block = PoolAllocator.shared().allocate(8, 8);
        assertThatExceptionOfType(NullPointerException.class)
                .isThrownBy(() -> NativeBox.adopt(POINT, block, null));
        PoolAllocator.shared().free(block);
    }

    @Test
    void readOnlyMemoryStaysReadOnlyInABox() {
        MemorySegment block = PoolAllocator.shared().allocateZeroed(8, 8);
        try (NativeBox<Point> box =
                NativeBox.adopt(
                        POINT,
                        block.asReadOnly(),
                        segment -> PoolAllocator.shared().free(segment))) {
            assertThat(box.get()).isEqualTo(new Point(0, 0));
            assertThatIllegalArgumentException().isThrownBy(() -> box.set(new Point(1, 1)));
        }
    }

    private static void doesNotAdopt(MemorySegment segment, String why) {
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                NativeBox.adopt(
                                        POINT,
                                        segment,
                                        _ -> {
                                            throw new AssertionError("released");
                                        }))
                .withMessageContaining(why);
    }
}
