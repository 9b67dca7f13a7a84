package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.ErrorCode;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.OperatingSystem.Machine;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.FrameReport;
import dev.kernelalloc.physical.PageKind;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Refusals;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Whatever the system refuses, at whatever moment: an explained exception, and nothing lost. */
class FailurePathsTest {

    record Point(int x, int y) {}

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final long OWN_FRAME =
            FakeOperatingSystem.PRESENT | FakeOperatingSystem.EXCLUSIVE;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final PoolAllocator pool =
            PackageAccess.build(PoolAllocator.builder().tag("tested"), os);
    private final PoolAllocator systemHeap = PackageAccess.systemHeap(os);
    private final PhysicalAllocator physical =
            PackageAccess.build(PhysicalAllocator.builder().tag("tested"), os);

    /** Each block has pages of its own. */
    private final PhysicalAllocator wholePages =
            PackageAccess.build(
                    PhysicalAllocator.builder().tag("tested").request(wholePagesRequest()), os);

    private static PhysicalRequest wholePagesRequest() {
        return PhysicalRequest.builder().aligned(64).build();
    }

    @AfterEach
    void nothingIsLost() {
        os.allowAll();
        pool.close();
        systemHeap.close();
        physical.close();
        wholePages.close();
        os.assertNothingLeaked();
        assertThat(os.lockedBytes()).isZero();
        assertThat(os.openPageMaps()).isZero();
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                arguments(Reason.OUT_OF_MEMORY, because(Refusal.OutOfMemory::new)),
                arguments(Reason.LOCK_LIMIT, because(Refusal.LockLimit::new)),
                arguments(Reason.NOT_PERMITTED, because(Refusal.NotPermitted::new)),
                arguments(Reason.NOT_SUPPORTED, because(Refusal.NotSupported::new)),
                arguments(
                        Reason.SYSTEM_ERROR,
                        because(
                                message ->
                                        new Refusal.SystemError(
                                                message, new ErrorCode(5, "EIO")))));
    }

    private static Supplier<Refusal> because(
            java.util.function.Function<String, Refusal> constructor) {
        return () -> constructor.apply("as the test wants it");
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void aRefusalBecomesAnExceptionWithItsReasonAndItsWords(
            Reason reason, Supplier<Refusal> refusal) {
        os.refuse(Operation.ALIGNED_ALLOC, refusal);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> pool.allocate(100, 8))
                .withMessageContaining("'tested'")
                .withMessageContaining("100 bytes aligned to 8")
                .withMessageContaining("as the test wants it")
                .withCauseInstanceOf(Refusal.class)
                .extracting(AllocationException::reason)
                .isEqualTo(reason);
        assertThat(pool.stats().refusedRequests()).isEqualTo(1);
        os.allow(Operation.ALIGNED_ALLOC);
        pool.free(pool.allocate(100, 8));
    }

    @Test
    void everyWayToAskThePoolSurvivesARefusal() {
        os.refuse(Operation.ALIGNED_ALLOC);
        refused(() -> pool.allocate(8, 8));
        refused(() -> pool.allocateZeroed(8, 8));
        refused(() -> pool.allocate(8, 64));
        refused(() -> pool.allocateZeroed(8, 64));
        assertThat(pool.tryAllocate(8, 8)).isEmpty();
        assertThat(pool.tryAllocate(8, 64)).isEmpty();
        refused(() -> NativeBox.of(pool, POINT, new Point(1, 2)));
        refused(() -> NativeBox.zeroed(pool, POINT));
        refused(() -> NativeBox.uninitialized(pool, POINT));
        assertThat(pool.stats().refusedRequests()).isEqualTo(9);
        try (Arena arena = pool.arena()) {
            refused(() -> arena.allocate(8));
            os.allow(Operation.ALIGNED_ALLOC);
            assertThat(arena.allocate(8).byteSize()).isEqualTo(8);
        }
        assertThat(pool.stats().liveBlocks()).isZero();
    }

    @Test
    void aRefusedReallocationLeavesTheBlockAlive() {
        MemorySegment block = pool.allocateFrom("kept");
        os.refuse(Operation.ALIGNED_ALLOC);
        refused(() -> pool.reallocate(block, 100 << 20, 8));
        assertThat(block.getString(0)).isEqualTo("kept");
        os.allow(Operation.ALIGNED_ALLOC);
        pool.free(pool.reallocate(block, 100 << 20, 8));
    }

    @Test
    void aRefusedReallocationOfABlockOfTheCHeapLeavesItAlive() {
        os.refuse(Operation.REALLOC);
        MemorySegment block = systemHeap.allocateFrom("kept");
        refused(() -> systemHeap.reallocate(block, 100, 8));
        os.refuse(Operation.ALIGNED_ALLOC);
        refused(() -> systemHeap.reallocate(block, 100, 64));
        assertThat(block.getString(0)).isEqualTo("kept");
        os.allow(Operation.REALLOC);
        systemHeap.free(systemHeap.reallocate(block, 100, 8));
    }

    @ParameterizedTest
    @EnumSource(names = {"RESERVE", "COMMIT", "ADVISE", "POPULATE", "LOCK"})
    void aRefusalAtAnyStepOfMappingPagesUndoesTheStepsBefore(Operation step) {
        os.refuse(
                step,
                () -> new Refusal.SystemError("refused by the test", new ErrorCode(5, "EIO")));
        refused(() -> physical.allocate(10_000, 8));
        refused(() -> physical.allocateZeroed(10_000, 8));
        refused(() -> NativeBox.zeroed(physical, POINT));
        assertThat(physical.tryAllocate(10_000, 8)).isEmpty();
        try (Arena arena = physical.arena()) {
            refused(() -> arena.allocate(8));
        }
        os.assertNothingLeaked();
        assertThat(os.lockedBytes()).isZero();
        os.allow(step);
        physical.free(physical.allocate(10_000, 8));
    }

    @Test
    void aRefusedReallocationOfPagesLeavesThemAlive() {
        MemorySegment block = wholePages.allocateFrom("kept");
        os.refuse(Operation.LOCK);
        refused(() -> wholePages.reallocate(block, 10_000, 8));
        assertThat(block.getString(0)).isEqualTo("kept");
        MemorySegment samePages = wholePages.reallocate(block, 4000, 8);
        assertThat(samePages.address()).isEqualTo(block.address());
        wholePages.free(samePages);
    }

    @Test
    void overTheLockLimitNothingStaysMapped() {
        os.lockLimit(2 * os.pageBytes());
        MemorySegment block = wholePages.allocate(2 * os.pageBytes(), 8);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> wholePages.allocate(1, 1))
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.LOCK_LIMIT);
        assertThat(os.liveReservations()).isEqualTo(1);
        wholePages.free(block);
        wholePages.free(wholePages.allocate(1, 1));
    }

    @Test
    void moreThanTheMachineHasLeftIsRefusedBeforeAnythingIsMapped() {
        os.availableBytes(100L << 20);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> physical.allocate(200L << 20, 8))
                .withMessageContaining(String.valueOf(100L << 20))
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.OUT_OF_MEMORY);
        assertThat(os.count(Operation.RESERVE)).isZero();
    }

    @Test
    void adviceThatTheSystemDoesNotKnowIsNoReasonToRefuse() {
        os.refuse(Operation.ADVISE, () -> new Refusal.NotSupported("no such advice"));
        physical.free(physical.allocate(8, 8));
    }

    @Test
    void pagesAreKeptFromChildrenAndFromMergingBeforeTheyAreLocked() {
        MemorySegment block = physical.allocate(8, 8);
        assertThat(os.adviceAt(block.address()))
                .containsExactlyInAnyOrder(Advice.DONT_FORK, Advice.DONT_MERGE);
        assertThat(os.operations())
                .containsSubsequence(
                        Operation.RESERVE,
                        Operation.COMMIT,
                        Operation.ADVISE,
                        Operation.POPULATE,
                        Operation.LOCK,
                        Operation.READ_PAGE_MAP);
        physical.free(block);
    }

    @Test
    void pagesThatTheSystemDoesNotTakeBackAreTriedAgain() {
        MemorySegment block = wholePages.allocate(8, 8);
        MemorySegment grown = wholePages.allocate(8, 8);
        NativeBox<Point> box = NativeBox.zeroed(wholePages, POINT);
        Arena arena = wholePages.arena();
        arena.allocate(8);
        os.refuse(Operation.RELEASE);
        wholePages.free(block);
        grown = wholePages.reallocate(grown, 10_000, 8);
        box.close();
        arena.close();
        assertThat(wholePages.stats().liveBlocks()).isEqualTo(1);
        assertThat(os.liveReservations()).isEqualTo(5);
        os.allow(Operation.RELEASE);
        wholePages.trim();
        assertThat(os.liveReservations()).isEqualTo(1);
        wholePages.free(grown);
    }

    @Test
    void pagesOfARefusedRequestThatTheSystemDoesNotTakeBackAreTriedAgain() {
        os.refuse(Operation.LOCK);
        os.refuse(Operation.RELEASE);
        refused(() -> wholePages.allocate(8, 8));
        assertThat(os.liveReservations()).isEqualTo(1);
        os.allow(Operation.LOCK);
        os.allow(Operation.RELEASE);
        wholePages.free(wholePages.allocate(8, 8));
        os.assertNothingLeaked();
    }

    @Test
    void moreBlocksThanTheKernelAllowsMappingsAreRefused() {
        os.maxMappings(400); // for all allocators of the process, and other tests have some
        PhysicalAllocator few =
                PackageAccess.build(PhysicalAllocator.builder().request(wholePagesRequest()), os);
        List<MemorySegment> blocks = new ArrayList<>();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () -> {
                            for (int i = 0; i < 400; i++) {
                                blocks.add(few.allocate(8, 8));
                            }
                        })
                .withMessageContaining("allows it 400 mappings")
                .withMessageContaining("vm.max_map_count");
        assertThat(blocks).hasSizeBetween(1, 200);
        blocks.forEach(few::free);
        few.close();
    }

    /** Every call of the system, refused once, at every moment of every use. */
    @TestFactory
    Stream<DynamicTest> aRefusalOfAnyCallAtAnyMomentLosesNothing() {
        return Refusals.atEachMoment(Operation.refusable(), 6, FailurePathsTest::useAll);
    }

    private static void useAll(Operation operation, int nth) {
        FakeOperatingSystem os = new FakeOperatingSystem();
        os.lockLimit(Long.MAX_VALUE);
        os.refuse(operation).onNth(nth);
        PoolAllocator pool = PackageAccess.build(PoolAllocator.builder(), os);
        PhysicalAllocator physical = PackageAccess.build(PhysicalAllocator.builder(), os);
        PhysicalAllocator wholePages =
                PackageAccess.build(PhysicalAllocator.builder().request(wholePagesRequest()), os);
        PoolAllocator systemHeap = PackageAccess.systemHeap(os);
        for (KernelAllocator allocator : List.of(pool, physical, wholePages, systemHeap)) {
            allocator.tryAllocate(17 << 20, 8).ifPresent(allocator::free);
            allocator.tryAllocate(100, 64).ifPresent(block -> growAndFree(allocator, block));
            allocator.tryAllocate(100, 8).ifPresent(block -> growAndFree(allocator, block));
            unlessRefused(() -> NativeBox.zeroed(allocator, POINT).close());
            unlessRefused(() -> NativeBox.of(allocator, POINT, new Point(1, 2)).close());
            try (Arena arena = allocator.sharedArena()) {
                unlessRefused(() -> arena.allocate(100, 8).fill((byte) 1));
                unlessRefused(() -> arena.allocate(100, 4096).fill((byte) 1));
            }
            assertThat(allocator.stats().liveBlocks()).isZero();
            assertThat(allocator.stats().liveBytes()).isZero();
            allocator.trim();
            assertThat(allocator.stats().capacityBytes()).isZero();
            allocator.close();
        }
        os.assertNothingLeaked();
    }

    private static void growAndFree(KernelAllocator allocator, MemorySegment block) {
        block.fill((byte) 7);
        MemorySegment last = block;
        try {
            last = allocator.reallocate(block, 10_000, 8);
        } catch (AllocationException e) {
            assertThat(block.byteSize()).isEqualTo(100); // it is as it was, checked below
        }
        assertThat(last.get(ValueLayout.JAVA_BYTE, 99)).isEqualTo((byte) 7);
        allocator.free(last);
    }

    private static void unlessRefused(Runnable use) {
        try {
            use.run();
        } catch (AllocationException e) {
            assertThat(e).hasMessageContaining("refused by the test");
        }
    }

    // ---- where pages lie ----------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource(names = {"NOT_PERMITTED", "NOT_SUPPORTED"})
    void withoutAPageMapEverythingWorksButAddresses(Reason reason) {
        boolean permitted = reason == Reason.NOT_SUPPORTED;
        os.refuse(
                Operation.READ_PAGE_MAP,
                () ->
                        permitted
                                ? new Refusal.NotSupported("no page map here")
                                : new Refusal.NotPermitted("no page map here"));
        MemorySegment block = physical.allocate(8, 8);
        PhysicalAddressException.Reason expected =
                permitted
                        ? PhysicalAddressException.Reason.NOT_SUPPORTED
                        : PhysicalAddressException.Reason.HIDDEN;
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> physical.addressOf(block))
                .withMessageContaining("no page map here")
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(expected);
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> physical.inspect(block))
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(expected);
        physical.free(block);
    }

    @Test
    void anAddressIsTheFrameAndTheOffsetInItsPage() {
        os.nextFrame(0x1234);
        MemorySegment block = physical.allocate(2 * os.pageBytes(), 8);
        assertThat(physical.addressOf(block))
                .isEqualTo(
                        new PhysicalAddress(0x1234 * os.pageBytes(), PhysicalAddress.Scope.HOST));
        assertThat(physical.addressOf(block.asSlice(os.pageBytes() + 5)).value())
                .isEqualTo(0x1235 * os.pageBytes() + 5);
        physical.free(block);
    }

    @Test
    void onAVirtualMachineAddressesAreTheGuests() {
        os.machine(Machine.VIRTUAL);
        PhysicalAllocator inGuest = PackageAccess.build(PhysicalAllocator.builder(), os);
        MemorySegment block = inGuest.allocate(8, 8);
        assertThat(inGuest.addressOf(block).scope()).isEqualTo(PhysicalAddress.Scope.GUEST);
        inGuest.free(block);
        inGuest.close();
    }

    @Test
    void addressesAreResolvedOnceAndInspectionAsksAgain() {
        os.nextFrame(0x1234);
        MemorySegment block = physical.allocate(8, 8);
        PhysicalAddress resolved =
                new PhysicalAddress(0x1234 * os.pageBytes(), PhysicalAddress.Scope.HOST);
        os.pageMapEntry(block.address(), OWN_FRAME | 0x5678);
        os.frameFlags(0x5678, 1L << FrameFlag.MLOCKED.bit() | 1L << FrameFlag.THP.bit());
        os.frameCount(0x5678, 3);
        os.forgetCalls();
        assertThat(physical.addressOf(block)).isEqualTo(resolved);
        assertThat(os.calls()).isEmpty();
        FrameReport report = physical.inspect(block);
        assertThat(report.address().value()).isEqualTo(0x5678 * os.pageBytes());
        assertThat(report.isLocked()).isTrue();
        assertThat(report.kind()).isEqualTo(PageKind.TRANSPARENT_HUGE);
        assertThat(report.mappings()).isEqualTo(3);
        physical.free(block);
    }

    @ParameterizedTest
    @EnumSource(names = {"READ_FRAME_FLAGS", "READ_FRAME_COUNTS"})
    void framesThatMayNotBeReadAreAnExplainedAbsence(Operation reading) {
        os.refuse(reading, () -> new Refusal.NotPermitted("only root may read it"));
        MemorySegment block = physical.allocate(8, 8);
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> physical.inspect(block))
                .withMessageContaining("only root may read it")
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(PhysicalAddressException.Reason.HIDDEN);
        physical.free(block);
    }

    @Test
    void aFrameThatIsNotThePagesOwnIsAnExplainedAbsence() {
        MemorySegment block = physical.allocate(8, 8);
        os.pageMapEntry(block.address(), FakeOperatingSystem.PRESENT | 0x5678);
        absent(block, PhysicalAddressException.Reason.SHARED);
        os.frameFlags(0x5678, 1L << FrameFlag.ZERO_PAGE.bit());
        absent(block, PhysicalAddressException.Reason.ZERO_PAGE);
        os.pageMapEntry(block.address(), 1L << 62);
        absent(block, PhysicalAddressException.Reason.SWAPPED);
        physical.free(block);
    }

    private void absent(MemorySegment block, PhysicalAddressException.Reason reason) {
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> physical.inspect(block))
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(reason);
    }

    private static void refused(Runnable request) {
        assertThatExceptionOfType(AllocationException.class).isThrownBy(request::run);
    }
}
