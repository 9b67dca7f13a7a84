package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Blocks by request, on the kernel that runs the tests. */
@EnabledOnOs(OS.LINUX)
class PhysicalRequestTest {

    private static final long PAGE_BYTES = 4096;
    private static final long HUGE_BYTES = 2 << 20;

    private final List<MemorySegment> blocks = new ArrayList<>();
    private final List<Drift> drifts = new ArrayList<>();
    private final List<PhysicalSlab> slabs = new ArrayList<>();
    private final PhysicalAllocator physical =
            PhysicalAllocator.builder()
                    .onDrift(drifts::add)
                    .onSlabMapped(slabs::add)
                    .onSlabUnmapped(slabs::remove)
                    .build();
    private long lockedBefore;
    private long pinnedBefore;

    @BeforeEach
    void rememberWhatIsHeld() {
        lockedBefore = LinuxProcess.lockedBytes();
        pinnedBefore = LinuxProcess.pinnedBytes();
    }

    @AfterEach
    void everythingGoesBack() {
        blocks.forEach(physical::free);
        physical.close();
        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
        assertThat(LinuxProcess.pinnedBytes()).isEqualTo(pinnedBefore);
        assertThat(slabs).isEmpty();
    }

    private MemorySegment allocate(PhysicalRequest.Builder request) {
        MemorySegment block = physical.allocate(request.build());
        blocks.add(block);
        block.fill((byte) blocks.size());
        return block;
    }

    /** For what not every kernel, container or user has. */
    private MemorySegment allocateOrSkip(PhysicalRequest.Builder request) {
        try {
            return allocate(request);
        } catch (AllocationException e) {
            assumeTrue(false, "skipped: " + e.getMessage());
            throw e;
        }
    }

    private static void assumeFramesVisible() {
        assumeTrue(
                LinuxProcess.seesFrames(),
                "skipped: frame numbers are hidden, this process lacks CAP_SYS_ADMIN");
    }

    // ---- contiguous ---------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(longs = {1, 4096, 12_288, 65_536, 1 << 20, 2 << 20})
    void contiguousBytesLieSideBySideInAFreshPageMap(long bytes) {
        assumeFramesVisible();
        MemorySegment block =
                allocateOrSkip(PhysicalRequest.ofBytes(bytes).contiguous().aligned(8192));
        long start = LinuxProcess.physicalAddress(block.address());
        assertThat(start % 8192).isZero();
        for (long offset = 0; offset < bytes; offset += PAGE_BYTES) {
            assertThat(LinuxProcess.physicalAddress(block.address() + offset))
                    .isEqualTo(start + offset);
        }
        assertThat(physical.extents(block))
                .containsExactly(new PhysicalExtent(physical.addressOf(block), Math.max(1, bytes)));
        assertThat(physical.guarantee(block)).contains(Guarantee.RESIDENT, Guarantee.LOCKED);
    }

    @Test
    void largerThanAHugePageIsFoundAmongSeveral() {
        assumeFramesVisible();
        long bytes = 3 * HUGE_BYTES - PAGE_BYTES;
        MemorySegment block = allocateOrSkip(PhysicalRequest.ofBytes(bytes).contiguous());
        long start = LinuxProcess.physicalAddress(block.address());
        for (long offset = 0; offset < bytes; offset += PAGE_BYTES) {
            assertThat(LinuxProcess.physicalAddress(block.address() + offset))
                    .isEqualTo(start + offset);
        }
        assertThat(block.get(ValueLayout.JAVA_BYTE, bytes - 1)).isEqualTo((byte) 1);
    }

    @Test
    void runsOfBasePagesAreFoundToo() {
        assumeFramesVisible();
        long bytes = 4 * PAGE_BYTES;
        MemorySegment block =
                allocateOrSkip(PhysicalRequest.ofBytes(bytes).contiguous().pages(PagePolicy.BASE));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.BASE_PAGES);
        long start = LinuxProcess.physicalAddress(block.address());
        for (long offset = 0; offset < bytes; offset += PAGE_BYTES) {
            assertThat(LinuxProcess.physicalAddress(block.address() + offset))
                    .isEqualTo(start + offset);
        }
    }

    @Test
    void smallContiguousBlocksShareWhatOneHugePageHas() {
        MemorySegment first = allocateOrSkip(PhysicalRequest.ofBytes(3 * PAGE_BYTES).contiguous());
        MemorySegment second = allocate(PhysicalRequest.ofBytes(5 * PAGE_BYTES).contiguous());
        assertThat(slabs).hasSize(1);
        assertThat(first.asOverlappingSlice(second)).isEmpty();
        physical.free(first);
        blocks.remove(first);
        MemorySegment third = allocate(PhysicalRequest.ofBytes(3 * PAGE_BYTES).contiguous());
        assertThat(third.address()).isEqualTo(first.address());
        assertThat(slabs).hasSize(1);
    }

    @Test
    void noMultipleOfTheBoundaryLiesInside() {
        assumeFramesVisible();
        for (int i = 0; i < 20; i++) {
            MemorySegment block =
                    allocateOrSkip(PhysicalRequest.ofBytes(12_288).contiguous().boundary(16_384));
            long start = LinuxProcess.physicalAddress(block.address());
            assertThat(start / 16_384).isEqualTo((start + 12_287) / 16_384);
        }
    }

    @Test
    void theWindowIsKeptWhereMemoryIsFoundInIt() {
        assumeFramesVisible();
        MemorySegment anywhere = allocateOrSkip(PhysicalRequest.ofBytes(PAGE_BYTES).contiguous());
        long address = physical.addressOf(anywhere).value();
        long lowest = Math.max(0, address - (1L << 30)) & -PAGE_BYTES;
        long highest = address + (1L << 30);
        MemorySegment block =
                allocate(PhysicalRequest.ofBytes(PAGE_BYTES).contiguous().within(lowest, highest));
        assertThat(LinuxProcess.physicalAddress(block.address())).isBetween(lowest, highest);
    }

    @Test
    void aWindowWithoutMemoryIsRefusedWithWhatWasSeen() {
        assumeFramesVisible();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () ->
                                allocate(
                                        PhysicalRequest.ofBytes(PAGE_BYTES)
                                                .contiguous()
                                                .within(1L << 50, 1L << 51)))
                .withMessageContaining("transparent huge pages: ")
                .withMessageContaining("base pages: ")
                .withMessageContaining("were seen")
                .extracting(AllocationException::reason)
                .isEqualTo(AllocationException.Reason.FRAGMENTED);
        assertThat(slabs).isEmpty();
    }

    @Test
    void moreThanCanLieSideBySideIsRefusedAndNothingStaysTaken() {
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(1L << 40).contiguous()));
        assertThat(slabs).isEmpty();
        assertThat(physical.stats().refusedRequests()).isEqualTo(1);
    }

    // ---- extents ------------------------------------------------------------------------------

    @Test
    void extentsCoverABlockInItsOrderWhateverThePages() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesVisible();
                    MemorySegment block = allocate(PhysicalRequest.ofBytes(300_000));
                    MemorySegment slice = block.asSlice(1000, 290_001);
                    for (long longest : new long[] {Long.MAX_VALUE, 5000, 1}) {
                        if (longest == 1) {
                            slice = slice.asSlice(0, 100);
                        }
                        long offset = 0;
                        for (PhysicalExtent extent : physical.extents(slice, longest, 8192)) {
                            assertThat(extent.bytes()).isLessThanOrEqualTo(longest);
                            assertThat(extent.start().value() / 8192)
                                    .isEqualTo((extent.end() - 1) / 8192);
                            assertThat(LinuxProcess.physicalAddress(slice.address() + offset))
                                    .isEqualTo(extent.start().value());
                            offset += extent.bytes();
                        }
                        assertThat(offset).isEqualTo(slice.byteSize());
                    }
                });
    }

    @Test
    void aPhysicalAddressLeadsBackToItsByte() {
        assumeFramesVisible();
        MemorySegment block = allocate(PhysicalRequest.ofBytes(300_000));
        for (long offset = 0; offset < block.byteSize(); offset += 5000) {
            PhysicalAddress address = physical.addressOf(block, offset);
            assertThat(physical.virtualAddressOf(address)).hasValue(block.address() + offset);
        }
        assertThat(
                        physical.virtualAddressOf(
                                new PhysicalAddress(1L << 50, PhysicalAddress.Scope.HOST)))
                .isEmpty();
    }

    // ---- pages --------------------------------------------------------------------------------

    @Test
    void hugePagesAloneAreHugeAccordingToTheKernel() {
        MemorySegment block =
                allocateOrSkip(PhysicalRequest.ofBytes(HUGE_BYTES).pages(PagePolicy.HUGE_ONLY));
        assertThat(physical.guarantee(block)).contains(Guarantee.HUGE);
        assertThat(LinuxProcess.hugeBytes(block.address())).isGreaterThanOrEqualTo(HUGE_BYTES);
    }

    @Test
    void pagesOfThePoolAreTakenWhereTheyAreFree() {
        assumeTrue(
                LinuxProcess.freePoolPages() > 0,
                "skipped: no huge pages of 2 MiB are reserved (vm.nr_hugepages)");
        MemorySegment block =
                allocate(
                        PhysicalRequest.ofBytes(100)
                                .pages(PagePolicy.HUGE_2M)
                                .atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.POOL_2M);
        assertThat(physical.verify().drifts()).isEmpty();
    }

    @Test
    void whyThePoolWasDeclinedIsSaid() {
        assumeTrue(LinuxProcess.freePoolPages() == 0, "skipped: huge pages are reserved");
        MemorySegment block = allocate(PhysicalRequest.ofBytes(100).pages(PagePolicy.HUGE_2M));
        assertThat(physical.provenance(block).declined())
                .extracting(Provenance.Declined::backing)
                .startsWith(Backing.POOL_2M);
        assertThat(physical.provenance(block).toString()).contains("nr_hugepages");
    }

    @Test
    void guardsStandBeforeAndBehind() {
        for (PhysicalRequest.Builder request :
                List.of(
                        PhysicalRequest.ofBytes(3 * PAGE_BYTES).guarded(),
                        PhysicalRequest.ofBytes(3 * PAGE_BYTES).guarded().contiguous())) {
            MemorySegment block = allocateOrSkip(request);
            assertThat(LinuxProcess.permissions(block.address())).startsWith("rw-");
            assertThat(LinuxProcess.permissions(block.address() + 3 * PAGE_BYTES - 1))
                    .startsWith("rw-");
            assertThat(LinuxProcess.permissions(block.address() - 1)).startsWith("---");
            assertThat(LinuxProcess.permissions(block.address() + 3 * PAGE_BYTES))
                    .startsWith("---");
        }
    }

    @ParameterizedTest
    @EnumSource(ForkBehaviour.class)
    void childrenAndDumpsGetWhatWasAsked(ForkBehaviour behaviour) {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(100).onFork(behaviour).notDumped());
        List<String> flags = LinuxProcess.mappingFlags(block.address());
        assertThat(flags).contains("dd").doesNotContain("ex", "mg");
        switch (behaviour) {
            case ABSENT -> assertThat(flags).contains("dc").doesNotContain("wf");
            case WIPED -> assertThat(flags).contains("wf").doesNotContain("dc");
            case COPIED -> assertThat(flags).doesNotContain("dc", "wf");
        }
    }

    @Test
    void withoutTheLockNothingIsLocked() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(100).atLeast(Guarantee.IN_MEMORY));
        assertThat(physical.guarantee(block)).containsExactly(Guarantee.RESIDENT);
        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
    }

    @Test
    void memoryIsOfTheNodeThatWasRequired() {
        MemorySegment block = allocateOrSkip(PhysicalRequest.ofBytes(100).requireNode(0));
        assertThat(physical.node(block)).hasValue(0);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(100).requireNode(1000)))
                .withMessageContaining("node 1000");
        allocate(PhysicalRequest.ofBytes(100).preferNode(1000));
    }

    @Test
    void hiddenPagesAreRefusedAndSaidWhereToAsk() {
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(100).atLeast(Guarantee.SECRET)))
                .withMessageContaining("HIDDEN");
    }

    // ---- pins ---------------------------------------------------------------------------------

    @Test
    void pinnedPagesArePinnedAndEndWithTheirBlock() {
        MemorySegment block =
                allocateOrSkip(
                        PhysicalRequest.ofBytes(3 * PAGE_BYTES).atLeast(Guarantee.NEVER_MOVED));
        assertThat(physical.guarantee(block)).containsAll(Guarantee.NEVER_MOVED);
        assertThat(LinuxProcess.pinnedBytes() - pinnedBefore).isEqualTo(3 * PAGE_BYTES);
        physical.free(block);
        blocks.remove(block);
        assertThat(LinuxProcess.pinnedBytes()).isEqualTo(pinnedBefore);
    }

    @Test
    void anAllocatorOfPinnedMemoryPinsItsSlabsOnce() {
        PhysicalRequest pinned = PhysicalRequest.builder().atLeast(Guarantee.NEVER_MOVED).build();
        try (PhysicalAllocator allocator = PhysicalAllocator.builder().request(pinned).build()) {
            MemorySegment first;
            try {
                first = allocator.allocate(64, 64);
            } catch (AllocationException e) {
                assumeTrue(false, "skipped: " + e.getMessage());
                throw e;
            }
            long pins = LinuxProcess.pinnedBytes();
            MemorySegment second = allocator.allocate(64, 64);
            assertThat(allocator.guarantee(second)).contains(Guarantee.PINNED);
            assertThat(LinuxProcess.pinnedBytes()).isEqualTo(pins);
            allocator.free(first);
            allocator.free(second);
        }
    }

    // ---- verification -------------------------------------------------------------------------

    @Test
    void whatHasNotMovedIsConfirmed() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    drifts.clear();
                    MemorySegment block = allocate(PhysicalRequest.ofBytes(300_000));
                    MemorySegment small = physical.allocate(64, 8);
                    blocks.add(small);
                    Verification found = physical.verify();
                    if (LinuxProcess.seesFrames()) {
                        assertThat(found.verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
                        assertThat(found.checkedPages())
                                .isGreaterThanOrEqualTo(300_000 / PAGE_BYTES);
                        assertThat(physical.verify(block).checkedPages())
                                .isEqualTo(Math.ceilDiv(300_000, PAGE_BYTES));
                    } else {
                        assertThat(found.verdict()).isEqualTo(Verification.Verdict.NOT_VERIFIABLE);
                    }
                    assertThat(drifts).isEmpty();
                });
    }

    // ---- the rest of the contract -------------------------------------------------------------

    @Test
    void aBlockByRequestKeepsToItWhenItGrows() {
        assumeFramesVisible();
        MemorySegment block = allocateOrSkip(PhysicalRequest.ofBytes(PAGE_BYTES).contiguous());
        MemorySegment grown = physical.reallocate(block, 5 * PAGE_BYTES, 1);
        blocks.set(0, grown);
        assertThat(grown.get(ValueLayout.JAVA_BYTE, PAGE_BYTES - 1)).isEqualTo((byte) 1);
        assertThat(physical.extents(grown)).hasSize(1);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> physical.reallocate(grown, Long.MAX_VALUE / 4, 1));
        assertThat(grown.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
    }

    @Test
    void blocksByRequestAreCountedAndFreedOnce() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(100));
        assertThat(physical.stats().liveBlocks()).isEqualTo(1);
        assertThat(physical.usableSize(block)).isEqualTo(PAGE_BYTES);
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> physical.free(block.asSlice(8)))
                .withMessageContaining("8 bytes inside the block");
        physical.free(block);
        blocks.remove(block);
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> physical.free(block));
        assertThat(physical.stats().liveBlocks()).isZero();
    }

    @Test
    void aClosedAllocatorTakesBlocksByRequestBackAndGivesNone() {
        PhysicalAllocator closed = PhysicalAllocator.create();
        MemorySegment block = closed.allocate(PhysicalRequest.ofBytes(100).build());
        MemorySegment small = closed.allocate(100, 1);
        assertThatExceptionOfType(IllegalStateException.class).isThrownBy(closed::close);
        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(() -> closed.allocate(PhysicalRequest.ofBytes(100).build()));
        block.fill((byte) 1);
        closed.free(block);
        closed.free(small);
        assertThat(closed.stats().capacityBytes()).isZero();
    }

    @Test
    void slabsAreAnnouncedBeforeTheirBlocksAndWhatAListenerThrowsEndsTheRequest() {
        MemorySegment small = physical.allocate(64, 8);
        assertThat(slabs).anyMatch(slab -> slab.memory().asOverlappingSlice(small).isPresent());
        physical.free(small);
        PhysicalAllocator refusing =
                PhysicalAllocator.builder()
                        .onSlabMapped(
                                _ -> {
                                    throw new IllegalStateException("not registered");
                                })
                        .build();
        for (int i = 0; i < 3; i++) {
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> refusing.allocate(64, 8))
                    .withMessage("not registered");
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> refusing.allocate(PhysicalRequest.ofBytes(64).build()))
                    .withMessage("not registered");
        }
        refusing.close();
    }

    @Test
    void everyFrameIsTheBlocksOwnAccordingToTheKernelsRecords() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesVisible();
                    assumeTrue(
                            Files.isReadable(Path.of("/proc/kpagecount")),
                            "skipped: frames are for root");
                    for (PhysicalRequest.Builder request :
                            List.of(
                                    PhysicalRequest.ofBytes(9 * PAGE_BYTES),
                                    PhysicalRequest.ofBytes(9 * PAGE_BYTES).contiguous(),
                                    PhysicalRequest.ofBytes(HUGE_BYTES))) {
                        MemorySegment block = allocateOrSkip(request);
                        for (long offset = 0; offset < block.byteSize(); offset += PAGE_BYTES) {
                            long frame =
                                    LinuxProcess.physicalAddress(block.address() + offset)
                                            / PAGE_BYTES;
                            assertThat(LinuxProcess.frameRecord("/proc/kpagecount", frame))
                                    .isEqualTo(1);
                            long flags = LinuxProcess.frameRecord("/proc/kpageflags", frame);
                            assertThat((flags >>> 33 | flags >>> 17) & 1)
                                    .as("MLOCKED, or of the pool, of %x", flags)
                                    .isEqualTo(1);
                            assertThat(flags >>> 10 & 1).as("BUDDY").isZero();
                            assertThat(flags >>> 21 & 1).as("KSM").isZero();
                            assertThat(flags >>> 24 & 1).as("ZERO_PAGE").isZero();
                        }
                    }
                });
    }
}
