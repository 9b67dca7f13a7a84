package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.tuple;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.OperatingSystem.HugeAllowance;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.Refusals;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** Blocks by request on a system that refuses, lacks or moves things as a test wants it. */
class PhysicalFailureTest {

    private static final long HUGE_BYTES = 2 << 20;
    private static final long OWN_FRAME =
            FakeOperatingSystem.PRESENT | FakeOperatingSystem.EXCLUSIVE;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final long page = os.pageBytes();
    private final List<Drift> drifts = new ArrayList<>();
    private final PhysicalAllocator physical =
            PackageAccess.build(PhysicalAllocator.builder().tag("tested").onDrift(drifts::add), os);

    @ParameterizedTest
    @CsvSource({"32, true", "31, false"})
    @DisplayName("A thread has a cache of its own if 32 MiB may be locked, and shares one below")
    void allocate_aSmallBlock_leavesOthersInACacheOfTheThread(int lockableMib, boolean own) {
        FakeOperatingSystem limited = new FakeOperatingSystem();
        limited.lockLimit((long) lockableMib << 20);
        try (PhysicalAllocator allocator =
                PackageAccess.build(PhysicalAllocator.builder(), limited)) {
            allocator.free(allocator.allocate(64, 64));
            long address = PackageAccess.engine(allocator).tryAllocate(64, 64);
            assertThat(address != 0).isEqualTo(own);
            if (own) {
                PackageAccess.engine(allocator).free(address);
            }
        }
    }

    @AfterEach
    void nothingIsLost() {
        os.allowAll();
        physical.close();
        os.assertNothingLeaked();
        assertThat(os.lockedBytes()).isZero();
        assertThat(os.pinnedBytes()).isZero();
        assertThat(os.openPageMaps()).isZero();
    }

    private MemorySegment allocate(PhysicalRequest.Builder request) {
        return physical.allocate(request.build());
    }

    private static PhysicalRequest.Builder contiguous(long bytes) {
        return PhysicalRequest.ofBytes(bytes).contiguous();
    }

    // ---- every call, refused once, at every moment of every way -------------------------------

    @TestFactory
    Stream<DynamicTest> aRefusalOfAnyCallAtAnyMomentLosesNothing() {
        return Refusals.atEachMoment(
                Operation.refusable()
                        .filter(operation -> operation != Operation.UNPIN), // it would stay pinned
                8,
                this::useAll);
    }

    private void useAll(Operation operation, int nth) {
        FakeOperatingSystem system = new FakeOperatingSystem();
        system.availableBytes(40 << 20); // small batches
        system.refuse(operation).onNth(nth);
        PhysicalAllocator allocator = PackageAccess.build(PhysicalAllocator.builder(), system);
        for (int round = 0; round < 2; round++) {
            for (PhysicalRequest.Builder request :
                    List.of(
                            PhysicalRequest.ofBytes(1),
                            PhysicalRequest.ofBytes(3 * page).guarded().notDumped(),
                            PhysicalRequest.ofBytes(HUGE_BYTES + 1).pages(PagePolicy.HUGE_ONLY),
                            PhysicalRequest.ofBytes(page).atLeast(Guarantee.NEVER_MOVED),
                            PhysicalRequest.ofBytes(page).requireNode(0),
                            contiguous(5 * page),
                            contiguous(3 * HUGE_BYTES),
                            contiguous(3 * page).guarded(),
                            contiguous(9 * page).pages(PagePolicy.BASE))) {
                try {
                    growAndFree(allocator, allocator.allocate(request.build()));
                } catch (AllocationException e) {
                    assertThat(allocator.stats().liveBlocks()).isZero();
                }
            }
            system.transparentHugePages(0);
            system.poolPages(8);
        }
        allocator.close();
        system.allow(operation);
        allocator.trim(); // what the system refused to take back
        assertThat(system.lockedBytes()).isZero();
        system.assertNothingLeaked();
    }

    private void growAndFree(PhysicalAllocator allocator, MemorySegment block) {
        block.fill((byte) 7);
        MemorySegment last = block;
        try {
            last = allocator.reallocate(block, block.byteSize() + page, 1);
        } catch (AllocationException e) {
            assertThat(block.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
        }
        allocator.free(last);
    }

    // ---- the ways in their order --------------------------------------------------------------

    @Test
    void theWaysAreTriedInTheirOrderAndEachSaysWhyNot() {
        os.transparentHugePages(0);
        os.nextFrame(0x1001); // not where a huge page could be
        MemorySegment block = allocate(contiguous(3 * page));
        Provenance provenance = physical.provenance(block);
        assertThat(provenance.backing()).isEqualTo(Backing.KERNEL_REGION);
        assertThat(provenance.declined())
                .extracting(Provenance.Declined::backing)
                .containsExactly(
                        Backing.HELD_RUN,
                        Backing.POOL_2M,
                        Backing.POOL_1G,
                        Backing.TRANSPARENT_HUGE);
        assertThat(physical.guarantee(block)).contains(Guarantee.LOCKED, Guarantee.PINNED);
        assertThat(os.lockedBytes()).isZero();
        physical.free(block);

        os.refuse(Operation.KERNEL_REGION, () -> new Refusal.NotPermitted("no io_uring here"));
        MemorySegment base = allocate(contiguous(3 * page));
        assertThat(physical.provenance(base).backing()).isEqualTo(Backing.BASE_PAGES);
        assertThat(physical.provenance(base).toString()).contains("no io_uring here");
        physical.free(base);

        os.poolPages(1);
        MemorySegment pool = allocate(contiguous(3 * page));
        assertThat(physical.provenance(pool).backing()).isEqualTo(Backing.POOL_2M);
        assertThat(physical.guarantee(pool)).contains(Guarantee.HUGE, Guarantee.LOCKED);
        physical.free(pool);
    }

    @Test
    void pagesOfTheOrderInWhichTheyWereFoundAreMovedIntoTheirOrder() {
        os.refuse(Operation.KERNEL_REGION);
        List<MemorySegment> blocks = new ArrayList<>();
        os.transparentHugePages(0);
        MemorySegment block = allocate(contiguous(9 * page).pages(PagePolicy.BASE));
        blocks.add(block);
        long first = os.frameAt(block.address());
        for (int i = 0; i < 9; i++) {
            assertThat(os.frameAt(block.address() + i * page)).isEqualTo(first + i);
        }
        blocks.forEach(physical::free);
    }

    @Test
    void withoutRightsOnlyWhatFitsIntoAHugePageIsKnownToBeContiguous() {
        os.refuse(Operation.READ_PAGE_MAP, () -> new Refusal.NotPermitted("no frames for you"));
        MemorySegment block = allocate(contiguous(5 * page).aligned(8 * page));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.TRANSPARENT_HUGE);
        assertThat(os.frameAt(block.address()) % 8).isZero();
        MemorySegment second = allocate(contiguous(5 * page).boundary(8 * page));
        assertThat(os.frameAt(second.address()) / 8)
                .isEqualTo(os.frameAt(second.address() + 4 * page) / 8);
        for (PhysicalRequest.Builder unprovable :
                List.of(
                        contiguous(HUGE_BYTES + 1),
                        contiguous(page).within(0, 1L << 40),
                        contiguous(page).aligned(2 * HUGE_BYTES))) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> allocate(unprovable))
                    .withMessageContaining("CAP_SYS_ADMIN")
                    .extracting(AllocationException::reason)
                    .isEqualTo(Reason.NOT_PERMITTED);
        }
        assertThat(physical.verify().verdict()).isEqualTo(Verification.Verdict.NOT_VERIFIABLE);
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> physical.extents(block))
                .withMessageContaining("no frames for you");
        physical.free(block);
        physical.free(second);
    }

    @Test
    void aSystemWithNothingButLocksStillLocks() {
        for (Operation missing :
                List.of(
                        Operation.PIN,
                        Operation.BIND,
                        Operation.NODE_OF,
                        Operation.COLLAPSE,
                        Operation.HUGE_BYTES,
                        Operation.MOVE,
                        Operation.KERNEL_REGION,
                        Operation.OPEN_PAGE_MAP,
                        Operation.ADVISE,
                        Operation.READ_PAGE_MAP)) {
            os.refuse(missing, () -> new Refusal.NotSupported("not on this system"));
        }
        PhysicalAllocator elsewhere = PackageAccess.build(PhysicalAllocator.builder(), os);
        MemorySegment large = elsewhere.allocate(3 * HUGE_BYTES, 8);
        assertThat(elsewhere.guarantee(large))
                .containsExactlyInAnyOrder(Guarantee.RESIDENT, Guarantee.LOCKED);
        assertThat(elsewhere.node(large)).isEmpty();
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> elsewhere.addressOf(large))
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(PhysicalAddressException.Reason.NOT_SUPPORTED);
        for (PhysicalRequest.Builder more :
                List.of(
                        PhysicalRequest.ofBytes(1).atLeast(Guarantee.PINNED),
                        PhysicalRequest.ofBytes(1).pages(PagePolicy.HUGE_ONLY),
                        PhysicalRequest.ofBytes(1).requireNode(0),
                        PhysicalRequest.ofBytes(1).notDumped(),
                        contiguous(page + 1))) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> elsewhere.allocate(more.build()))
                    .withMessageContaining("not on this system");
        }
        MemorySegment onePage = elsewhere.allocate(contiguous(page).build());
        assertThat(elsewhere.provenance(onePage).backing()).isEqualTo(Backing.BASE_PAGES);
        elsewhere.free(onePage);
        elsewhere.free(large);
        elsewhere.close();
    }

    // ---- guarantees ---------------------------------------------------------------------------

    @Test
    void aPinThatIsRefusedIsSaidAndTheLockOffered() {
        os.refuse(Operation.PIN, () -> new Refusal.NotPermitted("no io_uring in this container"));
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () -> allocate(PhysicalRequest.ofBytes(1).atLeast(Guarantee.NEVER_MOVED)))
                .withMessageContaining("no io_uring in this container")
                .withMessageContaining("ask for LOCKED alone")
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.NOT_PERMITTED);
    }

    @Test
    void locksAndPinsAreLimitedApart() {
        os.lockLimit(8 << 20);
        os.pinLimit(4 << 20);
        PhysicalRequest.Builder pinned =
                PhysicalRequest.ofBytes(3 << 20).atLeast(Guarantee.NEVER_MOVED);
        MemorySegment block = allocate(pinned);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(pinned))
                .withMessageContaining("pinn")
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.LOCK_LIMIT);
        assertThat(os.lockedBytes()).isEqualTo(3 << 20);
        os.forgetCalls();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(6 << 20)))
                .withMessageContaining("has locked 3145728 bytes and may lock 8388608");
        assertThat(os.count(Operation.POPULATE)).isZero(); // known before
        physical.free(block);
    }

    @Test
    void anAddressIsToldWithoutTheKernel() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(HUGE_BYTES));
        MemorySegment small = physical.allocate(64, 64);
        os.forgetCalls();
        for (long offset = 0; offset < HUGE_BYTES; offset += 4096) {
            physical.addressOf(block, offset);
        }
        physical.extents(block);
        physical.addressOf(small);
        assertThat(os.calls()).isEmpty();
        physical.free(small);
        physical.free(block);
    }

    @Test
    void memoryIsPinnedAfterItIsLockedAndResolvedAfterThat() {
        os.forgetCalls();
        MemorySegment block =
                allocate(PhysicalRequest.ofBytes(HUGE_BYTES).atLeast(Guarantee.NEVER_MOVED));
        assertThat(os.operations())
                .containsSubsequence(
                        Operation.RESERVE,
                        Operation.COMMIT,
                        Operation.ADVISE,
                        Operation.POPULATE,
                        Operation.LOCK,
                        Operation.PIN,
                        Operation.READ_PAGE_MAP);
        physical.free(block);
    }

    // ---- what is said, and what is kept -------------------------------------------------------

    @Test
    void whereTheKernelHasNoHugePageItIsSaidThatPagesOfTheBaseSizeServe() {
        os.transparentHugePages(0);
        MemorySegment block = allocate(PhysicalRequest.ofBytes(2 * HUGE_BYTES));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.BASE_PAGES);
        assertThat(physical.provenance(block).declined())
                .extracting(Provenance.Declined::backing)
                .contains(Backing.TRANSPARENT_HUGE);
        physical.free(block);
    }

    @Test
    void aRunWhosePagesHaveMovedIsNotGivenAsContiguous() {
        MemorySegment first = allocate(contiguous(2 * page));
        MemorySegment second = allocate(contiguous(2 * page));
        long slab = first.address() & -HUGE_BYTES;
        assertThat(second.address() & -HUGE_BYTES).isEqualTo(slab);
        long moved = second.address();
        physical.free(second);
        os.pageMapEntry(moved, OWN_FRAME | 0x12345);

        MemorySegment next = allocate(contiguous(2 * page));

        assertThat(next.address() & -HUGE_BYTES).isNotEqualTo(slab);
        int reservations = os.liveReservations();
        physical.free(first); // and with it the slab
        assertThat(os.liveReservations()).isEqualTo(reservations - 1);
        physical.free(next);
    }

    @Test
    void aListenerThatThrowsLeavesABlockThatWasToGrowAlive() {
        AtomicBoolean refusing = new AtomicBoolean();
        PhysicalAllocator registered =
                PackageAccess.build(
                        PhysicalAllocator.builder().onSlabMapped(_ -> refuseIf(refusing)), os);
        MemorySegment block = registered.allocate(PhysicalRequest.ofBytes(page).build());
        block.set(JAVA_BYTE, 0, (byte) 7);
        refusing.set(true);
        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(() -> registered.reallocate(block, 5 * page, 1))
                .withMessage("not registered");
        assertThat(block.get(JAVA_BYTE, 0)).isEqualTo((byte) 7);
        assertThat(registered.stats().liveBlocks()).isEqualTo(1);
        registered.free(block);
        registered.close();
    }

    @Test
    void whoHeardOfASlabThatAnotherListenerRefusedHearsOfItsEnd() {
        AtomicBoolean refusing = new AtomicBoolean(true);
        List<PhysicalSlab> known = new ArrayList<>();
        PhysicalAllocator registered =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .onSlabMapped(known::add)
                                .onSlabMapped(_ -> refuseIf(refusing))
                                .onSlabUnmapped(known::remove),
                        os);
        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(() -> registered.allocate(PhysicalRequest.ofBytes(page).build()));
        assertThat(known).isEmpty();
        registered.close();
    }

    @Test
    @DisplayName("A listener receives the extents, and what its registration moves is found")
    void onSlabMapped_registrationThatMovesAPage_addressIsTheNewOne() {
        List<PhysicalSlab> slabs = new ArrayList<>();
        List<Drift> drifts = new ArrayList<>();
        PhysicalAllocator registered =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .onSlabMapped(
                                        slab -> {
                                            slabs.add(slab);
                                            long second = slab.memory().address() + page;
                                            os.pageMapEntry(second, OWN_FRAME | 0x54321);
                                        })
                                .onDrift(drifts::add),
                        os);

        MemorySegment block = registered.allocate(PhysicalRequest.ofBytes(2 * page).build());

        PhysicalSlab told = slabs.getFirst();
        assertThat(told.memory().address()).isEqualTo(block.address());
        assertThat(told.guarantees()).contains(Guarantee.LOCKED);
        assertThat(told.extents().getFirst().start()).isEqualTo(registered.addressOf(block));
        assertThat(told.extents().stream().mapToLong(PhysicalExtent::bytes).sum())
                .isEqualTo(2 * page);
        assertThat(registered.addressOf(block, page).value()).isEqualTo(0x54321 * page);
        assertThat(drifts).hasSize(1);
        assertThat(drifts.getFirst().before().value())
                .isEqualTo(told.extents().getFirst().start().value() + page);
        assertThat(registered.verify().drifts()).isEmpty();
        registered.free(block);
        registered.close();
    }

    @Test
    void anErrorOfAListenerKeepsNoSlab() {
        PhysicalAllocator registered =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .onSlabUnmapped(
                                        _ -> {
                                            throw new NoClassDefFoundError("a driver's class");
                                        }),
                        os);
        registered.free(registered.allocate(PhysicalRequest.ofBytes(page).build()));
        assertThat(os.liveReservations()).isZero();
        registered.close();
    }

    private static void refuseIf(AtomicBoolean refusing) {
        if (refusing.get()) {
            throw new IllegalStateException("not registered");
        }
    }

    // ---- preflight ----------------------------------------------------------------------------

    @Test
    void pagesOfThePoolNeedNeitherTheLockLimitNorFreeMemory() {
        os.poolPages(2);
        os.lockLimit(page);
        os.availableBytes(0);
        MemorySegment block =
                allocate(PhysicalRequest.ofBytes(2 * HUGE_BYTES).pages(PagePolicy.HUGE_ONLY));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.POOL_2M);
        assertThat(physical.guarantee(block)).isEqualTo(Guarantee.NEVER_SWAPPED_AND_HUGE);
        physical.free(block);
    }

    @Test
    void whatEveryWayRefusesForOneReasonIsSaidOnce() {
        os.lockLimit(page);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(2 * HUGE_BYTES)))
                .satisfies(
                        refused ->
                                assertThat(refused.getMessage().split("locking 4194304 bytes"))
                                        .hasSize(2))
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.LOCK_LIMIT);
    }

    @Test
    void aGroupThatIsTooSmallIsAnExceptionBeforeAnythingIsTouched() {
        os.memoryGroups(
                new MemoryGroup("/parent", 1L << 30, 10 << 20, 0),
                new MemoryGroup("/parent/small", 64 << 20, 40 << 20, 10 << 20));
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(32 << 20)))
                .withMessageContaining("/parent/small may use 67108864 bytes and uses 41943040")
                .withMessageContaining("memory.max")
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.OUT_OF_MEMORY);
        assertThat(os.count(Operation.RESERVE)).isZero();
        physical.free(allocate(PhysicalRequest.ofBytes(16 << 20)));
    }

    @Test
    @DisplayName(
            "A required node that has too little left is an exception, as the kernel would kill")
    void allocate_requiredNodeIsFull_isRefusedBeforeAnythingIsTouched() {
        os.nodeHasLeft(40 << 20);
        for (PhysicalRequest.Builder request :
                List.of(PhysicalRequest.ofBytes(32 << 20), contiguous(32 << 20))) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> allocate(request.requireNode(0)))
                    .withMessageContaining(
                            "of node 0 alone: the node has about 41943040 bytes left")
                    .withMessageContaining("prefer the node")
                    .extracting(AllocationException::reason)
                    .isEqualTo(Reason.OUT_OF_MEMORY);
            assertThat(os.count(Operation.POPULATE)).isZero();
            physical.free(allocate(request.preferNode(0)));
            os.forgetCalls();
        }
        physical.free(allocate(PhysicalRequest.ofBytes(16 << 20).requireNode(0)));
    }

    @Test
    @DisplayName("A search for a place takes what there is, if there is less than it may take")
    void allocate_windowWithLittleMemory_searchesWhatThereIs() {
        os.nodeHasLeft(160 << 20);
        long beyond = 1L << 40;
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () -> allocate(contiguous(page).within(beyond, 2 * beyond).requireNode(0)))
                .withMessageContaining("transparent huge pages: of 134217728 bytes none serve");
    }

    @Test
    @DisplayName(
            "After a refusal for want of memory, little is looked at too, until there is enough")
    void allocate_smallAfterRefusal_isRefusedUntilThereIsMemory() {
        os.memoryGroups(new MemoryGroup("/small", 64 << 20, 62 << 20, 0));
        PhysicalRequest small = PhysicalRequest.ofBytes(64 << 10).build();
        List<MemorySegment> blocks = new ArrayList<>();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () -> {
                            while (true) {
                                blocks.add(physical.allocate(small));
                            }
                        })
                .withMessageContaining("/small");
        assertThat(blocks).hasSizeLessThan((1 << 20) / (64 << 10));
        for (int again = 0; again < 3; again++) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.allocate(small));
        }
        os.memoryGroups(new MemoryGroup("/small", 64 << 20, 40 << 20, 0));
        blocks.add(physical.allocate(small));
        blocks.forEach(physical::free);
    }

    @Test
    @DisplayName("The part of the Java heap that is not touched yet counts as taken")
    void allocate_whereTheJavaHeapMayTakeTheRest_isRefused() {
        os.memoryGroups(new MemoryGroup("/small", 64 << 20, 40 << 20, 0));
        os.untouchedHeapBytes(14 << 20);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(4 << 20)))
                .withMessageContaining("the Java heap may still take 14680064");
        os.untouchedHeapBytes(8 << 20);
        physical.free(allocate(PhysicalRequest.ofBytes(4 << 20)));
    }

    @Test
    void aSmallBlockOfHugePagesIsLookedAtAsTheWholePageThatItTakes() {
        os.memoryGroups(new MemoryGroup("/small", 64 << 20, 60 << 20, 0));
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(1).pages(PagePolicy.HUGE_ONLY)))
                .withMessageContaining("2097152 bytes of memory that stays");
        assertThat(os.count(Operation.POPULATE)).isZero();
    }

    @Test
    void aKernelRegionIsLookedAtToo() {
        os.transparentHugePages(0);
        os.memoryGroups(new MemoryGroup("/small", 64 << 20, 60 << 20, 0));
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(contiguous(1 << 20)))
                .withMessageContaining("/small");
        assertThat(os.count(Operation.KERNEL_REGION)).isZero();
    }

    @Test
    void beforeEverySixteenMebibytesThereIsANewLookAndOneAheadAtAll() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(100 << 20));
        assertThat(os.count(Operation.AVAILABLE_BYTES)).isEqualTo(1 + 7);
        assertThat(os.count(Operation.POPULATE)).isEqualTo(7);
        physical.free(block);
    }

    @Test
    @DisplayName("A refusal by the lock limit costs no call until a slab goes back")
    void allocate_overTheLockLimit_isRememberedUntilASlabGoesBack() {
        os.lockLimit(8 * page);
        PhysicalRequest request = PhysicalRequest.ofBytes(2 * page).build();
        List<MemorySegment> blocks = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            blocks.add(physical.allocate(request));
        }
        os.forgetCalls();
        for (int i = 0; i < 50; i++) {
            assertLockLimit(request);
        }
        assertThat(os.count(Operation.LOCK)).isZero();
        assertThat(os.count(Operation.RESERVE)).isZero();
        assertThat(os.count(Operation.LOCK_BUDGET)).isLessThan(50);

        physical.free(blocks.removeLast());
        blocks.add(physical.allocate(request));
        assertLockLimit(request);

        os.lockLimit(10 * page);
        blocks.add(physical.allocate(request));
        assertLockLimit(request);
        blocks.forEach(physical::free);
    }

    private void assertLockLimit(PhysicalRequest request) {
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> physical.allocate(request))
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.LOCK_LIMIT);
    }

    @Test
    @DisplayName("A lock that is refused though it was thought to fit is looked at anew")
    void allocate_whereOthersHaveLocked_isLookedAtAnew() {
        PhysicalRequest request = PhysicalRequest.ofBytes(page).build();
        physical.free(physical.allocate(request));
        os.refuse(Operation.LOCK, () -> new Refusal.LockLimit("others have it"));
        assertLockLimit(request);
        os.allow(Operation.LOCK);
        os.forgetCalls();
        physical.free(physical.allocate(request));
        assertThat(os.count(Operation.LOCK_BUDGET)).isOne();
    }

    @Test
    @DisplayName("A batch that the pool refuses is tried again with what is needed")
    void allocate_contiguousWhereThePoolGivesLittle_takesWhatIsNeeded() {
        os.poolPages(40);
        os.refuse(Operation.RESERVE_HUGE).onNth(1);
        MemorySegment block = allocate(contiguous(2 * HUGE_BYTES));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.POOL_2M);
        assertThat(os.calls())
                .filteredOn(call -> call.operation() == Operation.RESERVE_HUGE)
                .extracting(FakeOperatingSystem.Call::bytes)
                .containsExactly(32 * HUGE_BYTES, 2 * HUGE_BYTES);
        physical.free(block);
    }

    @Test
    @DisplayName("What a control group leaves of the pool is all that is taken")
    void allocate_contiguousInAGroup_takesWhatItLeaves() {
        os.poolPages(40);
        os.hugeAllowance(new HugeAllowance(3 * HUGE_BYTES, "/group/hugetlb.2MB.max"));
        MemorySegment block = allocate(contiguous(2 * HUGE_BYTES));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.POOL_2M);
        physical.free(block);
        physical.trim();
        os.hugeAllowance(new HugeAllowance(HUGE_BYTES, "/group/hugetlb.2MB.max"));
        os.transparentHugePages(0);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () ->
                                allocate(
                                        PhysicalRequest.ofBytes(2 * HUGE_BYTES)
                                                .contiguous()
                                                .pages(PagePolicy.HUGE_ONLY)))
                .withMessageContaining("raise /group/hugetlb.2MB.max");
    }

    // ---- drift --------------------------------------------------------------------------------

    @Test
    void aPageThatMovedIsReportedOnceAndTranslatedAnewFromThenOn() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(4 * page));
        long before = physical.addressOf(block, page).value();
        os.pageMapEntry(block.address() + page, OWN_FRAME | 0x777);
        assertThat(physical.addressOf(block, page).value()).isEqualTo(before);

        Verification found = physical.verify(block);

        assertThat(found.verdict()).isEqualTo(Verification.Verdict.DRIFTED);
        assertThat(found.checkedPages()).isEqualTo(4);
        assertThat(found.drifts()).isEqualTo(drifts).hasSize(1);
        assertThat(drifts.getFirst().virtualAddress()).isEqualTo(block.address() + page);
        assertThat(drifts.getFirst().before().value()).isEqualTo(before);
        assertThat(drifts.getFirst().after().value()).isEqualTo(0x777 * page);
        assertThat(drifts.getFirst().pinned()).isFalse();
        assertThat(physical.addressOf(block, page + 5).value()).isEqualTo(0x777 * page + 5);
        assertThat(physical.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
        physical.free(block);
    }

    @Test
    void aPinnedPageThatMovedIsAnError() {
        MemorySegment block =
                allocate(PhysicalRequest.ofBytes(page).atLeast(Guarantee.NEVER_MOVED));
        os.pageMapEntry(block.address(), OWN_FRAME | 0x777);
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> physical.verify())
                .withMessageContaining("1 pinned pages have moved")
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(PhysicalAddressException.Reason.MOVED);
        assertThat(drifts).hasSize(1);
        physical.free(block);
    }

    @Test
    @DisplayName("A page that is on its way elsewhere during one look is no drift")
    void verify_pageIsBeingMigrated_looksAgain() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(4 * page));
        os.pageMapEntryFor(2, block.address() + page, 1L << 62);
        assertThat(physical.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
        assertThat(drifts).isEmpty();
        physical.free(block);
    }

    @Test
    @DisplayName("Base pages side by side are pinned unasked, and are not moved apart")
    void contiguous_ofBasePages_pinned() {
        MemorySegment block = allocate(contiguous(4 * page).pages(PagePolicy.BASE));
        assertThat(physical.guarantee(block)).contains(Guarantee.CONTIGUOUS, Guarantee.PINNED);
        assertThat(os.pinnedBytes()).isEqualTo(4 * page);
        physical.free(block);
        MemorySegment one = allocate(contiguous(page).pages(PagePolicy.BASE));
        assertThat(physical.guarantee(one)).contains(Guarantee.CONTIGUOUS);
        assertThat(os.pinnedBytes()).isZero(); // a page is in one piece wherever it lies
        physical.free(one);
    }

    @Test
    @DisplayName("Where no pin can be had, pages that were moved apart are a lost guarantee")
    void verify_contiguousBlockWithoutPinIsMovedApart_broken() {
        os.refuse(Operation.PIN, () -> new Refusal.NotPermitted("no io_uring here"));
        List<LostGuarantee> told = new ArrayList<>();
        PhysicalAllocator watched =
                PackageAccess.build(PhysicalAllocator.builder().onGuaranteeLost(told::add), os);
        MemorySegment block = watched.allocate(contiguous(4 * page).pages(PagePolicy.BASE).build());
        assertThat(watched.guarantee(block))
                .contains(Guarantee.CONTIGUOUS)
                .doesNotContain(Guarantee.PINNED);
        os.pageMapEntry(block.address() + page, OWN_FRAME | 0x777);
        for (int audit = 0; audit < 2; audit++) {
            Verification found = watched.verify();
            assertThat(found.verdict()).isEqualTo(Verification.Verdict.BROKEN);
            assertThat(found.lost())
                    .extracting(LostGuarantee::guarantee, LostGuarantee::virtualAddress)
                    .containsExactly(tuple(Guarantee.CONTIGUOUS, block.address() + page));
        }
        assertThat(told).hasSize(1);
        assertThat(watched.guarantee(block)).doesNotContain(Guarantee.CONTIGUOUS);
        watched.free(block);
        watched.close();
    }

    @Test
    @DisplayName("An allocator without memory and without rights does not call that fine")
    void verify_noSlabsAndNoRights_notVerifiable() {
        assertThat(physical.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
        os.refuse(Operation.READ_PAGE_MAP, () -> new Refusal.NotPermitted("no rights"));
        Verification found = physical.verify();
        assertThat(found.verdict()).isEqualTo(Verification.Verdict.NOT_VERIFIABLE);
        assertThat(found.unverifiable().orElseThrow()).contains("no rights");
    }

    @Test
    void aPageThatIsGoneOrSharedIsADriftToo() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(4 * page));
        os.pageMapEntry(block.address(), 1L << 62);
        os.frameFlags(os.frameAt(block.address() + page), 1L << FrameFlag.KSM.bit());
        os.frameCount(os.frameAt(block.address() + 2 * page), 2);
        os.frameFlags(os.frameAt(block.address() + 3 * page), 1L << FrameFlag.OFFLINE.bit());
        List<Drift> found = physical.verify().drifts();
        assertThat(found).extracting(Drift::after).containsOnlyNulls();
        assertThat(found)
                .extracting(Drift::finding)
                .satisfiesExactlyInAnyOrder(
                        swapped -> assertThat(swapped).contains("swapped out"),
                        merged -> assertThat(merged).contains("kpageflags 0x200000, mapped 1"),
                        shared -> assertThat(shared).contains("kpageflags 0x0, mapped 2 times"),
                        offline -> assertThat(offline).contains("kpageflags 0x800000, mapped 1"));
        physical.free(block);
    }

    @Test
    @DisplayName("A page whose frame is not its own has no address, however the page map shows it")
    void addressOf_frameThatIsNotThePagesOwn_isRefused() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(4 * page));
        os.frameFlags(os.frameAt(block.address()), 1L << FrameFlag.KSM.bit());
        os.frameCount(os.frameAt(block.address() + page), 2);
        os.frameFlags(os.frameAt(block.address() + 2 * page), 1L << FrameFlag.HWPOISON.bit());
        for (int audit = 0; audit < 2; audit++) {
            assertThat(physical.verify().drifts()).hasSize(3);
            assertThat(whyAbsent(block, 0)).isEqualTo(PhysicalAddressException.Reason.SHARED);
            assertThat(whyAbsent(block, page)).isEqualTo(PhysicalAddressException.Reason.SHARED);
            assertThat(whyAbsent(block, 2 * page))
                    .isEqualTo(PhysicalAddressException.Reason.NOT_PRESENT);
            assertThat(physical.addressOf(block, 3 * page).value())
                    .isEqualTo(os.frameAt(block.address() + 3 * page) * page);
            assertThatExceptionOfType(PhysicalAddressException.class)
                    .isThrownBy(() -> physical.extents(block))
                    .withMessageContaining("kpageflags 0x200000, mapped 1");
        }

        os.frameFlags(os.frameAt(block.address()), 0);
        assertThat(physical.verify().drifts()).hasSize(3);
        assertThat(physical.addressOf(block).value()).isEqualTo(os.frameAt(block.address()) * page);
        assertThat(physical.verify().drifts()).hasSize(2);
        physical.free(block);
    }

    private PhysicalAddressException.Reason whyAbsent(MemorySegment block, long offset) {
        return catchThrowableOfType(
                        PhysicalAddressException.class, () -> physical.addressOf(block, offset))
                .reason();
    }

    @Test
    void aThreadOfItsOwnFindsDriftsAndEndsWithItsAllocator() {
        List<Drift> found = new CopyOnWriteArrayList<>();
        PhysicalAllocator watched =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .verifyEvery(Duration.ofMillis(1))
                                .onDrift(found::add),
                        os);
        MemorySegment block = watched.allocate(PhysicalRequest.ofBytes(page).build());
        os.pageMapEntry(block.address(), OWN_FRAME | 0x777);
        Await.until("a drift is found", () -> !found.isEmpty());
        assertThat(watched.addressOf(block).value()).isEqualTo(0x777 * page);
        watched.free(block);
        watched.close();
        Await.until(
                "the thread ends",
                () ->
                        Thread.getAllStackTraces().keySet().stream()
                                .noneMatch(thread -> thread.getName().contains("verify")));
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> PhysicalAllocator.builder().verifyEvery(Duration.ZERO));
    }

    @Test
    void aListenerThatFailsHindersNobody() {
        PhysicalAllocator careless =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .onDrift(
                                        _ -> {
                                            throw new IllegalStateException("listener");
                                        })
                                .onDrift(drifts::add),
                        os);
        MemorySegment block = careless.allocate(PhysicalRequest.ofBytes(page).build());
        os.pageMapEntry(block.address(), OWN_FRAME | 0x777);
        assertThat(careless.verify().drifts()).hasSize(1);
        assertThat(drifts).hasSize(1);
        careless.free(block);
        careless.close();
    }

    @Test
    @SuppressWarnings("restricted")
    void aDriftListenerOfANewSlabMayAskForTheNewAddress() {
        AtomicReference<PhysicalAllocator> self = new AtomicReference<>();
        List<PhysicalAddress> asked = new ArrayList<>();
        PhysicalAllocator registering =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .onSlabMapped(
                                        slab ->
                                                os.pageMapEntry(
                                                        slab.memory().address(), OWN_FRAME | 0x777))
                                .onDrift(
                                        drift ->
                                                asked.add(
                                                        self.get()
                                                                .addressOf(
                                                                        MemorySegment.ofAddress(
                                                                                        drift
                                                                                                .virtualAddress())
                                                                                .reinterpret(1)))),
                        os);
        self.set(registering);
        MemorySegment block = registering.allocate(PhysicalRequest.ofBytes(page).build());
        assertThat(asked).containsExactly(registering.addressOf(block));
        assertThat(registering.addressOf(block).value()).isEqualTo(0x777 * page);
        registering.free(block);
        registering.close();
    }

    @Test
    void aPageMapThatIsUnreadableAfterARegistrationIsReadLater() {
        PhysicalAllocator registering =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .onSlabMapped(
                                        slab -> {
                                            os.pageMapEntry(
                                                    slab.memory().address(), OWN_FRAME | 0x777);
                                            os.refuse(
                                                    Operation.READ_PAGE_MAP,
                                                    () -> new Refusal.Shortage("by the test"));
                                        }),
                        os);
        MemorySegment block = registering.allocate(PhysicalRequest.ofBytes(page).build());
        os.allow(Operation.READ_PAGE_MAP);
        assertThat(registering.addressOf(block).value()).isEqualTo(0x777 * page);
        registering.free(block);
        registering.close();
    }

    // ---- requests -----------------------------------------------------------------------------

    @Test
    void requestsThatContradictThemselvesAreRefusedWithTheirValues() {
        for (PhysicalRequest.Builder bad :
                List.of(
                        PhysicalRequest.ofBytes(-1),
                        PhysicalRequest.ofBytes(1).aligned(3),
                        PhysicalRequest.ofBytes(Long.MAX_VALUE).aligned(8),
                        PhysicalRequest.ofBytes(1).boundary(16),
                        PhysicalRequest.ofBytes(1).within(0, 100),
                        contiguous(100).boundary(64),
                        contiguous(1).boundary(48),
                        contiguous(100).within(50, 148),
                        contiguous(1).within(5, 4),
                        contiguous(1).within(-1, 4),
                        PhysicalRequest.ofBytes(1).requireNode(-1),
                        PhysicalRequest.ofBytes(1)
                                .pages(PagePolicy.BASE)
                                .atLeast(Guarantee.HUGE))) {
            assertThatExceptionOfType(IllegalArgumentException.class)
                    .isThrownBy(bad::build)
                    .withMessageMatching(".*[0-9\\[].*");
        }
        assertThat(contiguous(100).within(50, 149).build().hasWindow()).isTrue();
    }

    @Test
    void sizesThatNoMachineHasAreRefused() {
        for (long bytes : new long[] {1L << 48, 1L << 60, Long.MAX_VALUE - 1}) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(bytes).guarded()));
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> allocate(contiguous(bytes)));
        }
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(PhysicalRequest.ofBytes(1).aligned(1L << 62)));
    }
}
