package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.os.FakeWindows;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Provenance.Declined;
import dev.kernelalloc.physical.Verification.Verdict;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** What the allocator gives and refuses on Windows, whatever system runs the test. */
class WindowsPhysicalTest {

    private static final long PAGE_BYTES = 4096;
    private static final long LARGE_BYTES = 2 << 20;
    private static final String LOCK_MEMORY = "SeLockMemoryPrivilege";

    private final FakeWindows windows;
    private final PhysicalAllocator physical;

    WindowsPhysicalTest() throws Refusal {
        windows = new FakeWindows();
        physical = PackageAccess.build(PhysicalAllocator.builder(), windows.system());
    }

    @AfterEach
    void everythingGoesBack() throws Refusal {
        physical.close();
        requireNothingLeft();
        windows.close();
    }

    private void requireNothingLeft() {
        assertThat(windows.reservedBytes()).isZero();
        assertThat(windows.lockedBytes()).isZero();
        assertThat(windows.largeBytes()).isZero();
        assertThat(windows.openTokens()).isZero();
    }

    private MemorySegment allocate(PhysicalRequest.Builder request) {
        return physical.allocate(request.build()).fill((byte) 1);
    }

    private void assertRefused(PhysicalRequest.Builder request, Reason reason, String... texts) {
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(request))
                .withMessageContainingAll(texts)
                .extracting(AllocationException::reason)
                .isEqualTo(reason);
    }

    private static PhysicalRequest.Builder huge(long bytes) {
        return PhysicalRequest.ofBytes(bytes).pages(PagePolicy.HUGE_ONLY);
    }

    // ---- locked pages -------------------------------------------------------------------------

    @Test
    void blocksAreLockedInAWorkingSetThatGrowsWithThemAndHaveNoAddresses() {
        List<MemorySegment> blocks =
                List.of(physical.allocate(64, 64), physical.allocate(3 << 20, 4096));
        for (MemorySegment block : blocks) {
            assertThat(physical.guarantee(block)).isEqualTo(Guarantee.NEVER_SWAPPED);
            assertThat(physical.provenance(block).backing()).isEqualTo(Backing.BASE_PAGES);
            assertThatExceptionOfType(PhysicalAddressException.class)
                    .isThrownBy(() -> physical.addressOf(block))
                    .extracting(PhysicalAddressException::reason)
                    .isEqualTo(PhysicalAddressException.Reason.NOT_SUPPORTED);
        }
        assertThat(windows.lockedBytes()).isGreaterThanOrEqualTo(3 << 20);
        assertThat(physical.verify().verdict()).isEqualTo(Verdict.NOT_VERIFIABLE);
        blocks.forEach(physical::free);
    }

    @Test
    void aWorkingSetThatMayNotGrowIsTheLockLimitAndSaysHowToRaiseIt() {
        windows.workingSetLimit(1 << 20);
        assertRefused(
                PhysicalRequest.ofBytes(4 << 20),
                Reason.LOCK_LIMIT,
                "ERROR_PRIVILEGE_NOT_HELD (1314)",
                "enabling SeIncreaseWorkingSetPrivilege: ERROR_NOT_ALL_ASSIGNED (1300)",
                "Increase a process working set");
        physical.free(allocate(PhysicalRequest.ofBytes(64 << 10)));
    }

    @Test
    void thePrivilegeToGrowIsSwitchedOnWhereItIsHeld() {
        windows.workingSetLimit(1 << 20);
        windows.hold("SeIncreaseWorkingSetPrivilege");
        MemorySegment block = allocate(PhysicalRequest.ofBytes(4 << 20));
        assertThat(windows.lockedBytes()).isEqualTo(4 << 20);
        physical.free(block);
    }

    @Test
    void pinsAreNotSupportedAndTheLockIsOffered() {
        assertRefused(
                PhysicalRequest.ofBytes(1).atLeast(Guarantee.NEVER_MOVED),
                Reason.NOT_SUPPORTED,
                "cannot pin",
                "ask for LOCKED alone");
    }

    // ---- large pages --------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource(
            value = PagePolicy.class,
            names = {"HUGE_2M", "HUGE_1G", "HUGE_ONLY"})
    void whereThePolicyNamesHugePagesTheyAreLargeAndNeverPagedOut(PagePolicy policy) {
        windows.hold(LOCK_MEMORY);
        MemorySegment block =
                allocate(
                        PhysicalRequest.ofBytes(3 * LARGE_BYTES - 5)
                                .pages(policy)
                                .aligned(2 * LARGE_BYTES));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.LARGE_PAGES);
        assertThat(physical.provenance(block).declined()).isEmpty();
        assertThat(physical.guarantee(block)).isEqualTo(Guarantee.NEVER_SWAPPED_AND_HUGE);
        assertThat(windows.largeBytes()).isEqualTo(3 * LARGE_BYTES);
        assertThat(windows.lockedBytes()).isZero();
        assertThat(block.address() % (2 * LARGE_BYTES)).isZero();
        physical.free(block);
    }

    @Test
    void smallBlocksAreCutFromLargePagesWhereTheAllocatorWantsThem() {
        windows.hold(LOCK_MEMORY);
        PhysicalRequest request =
                PhysicalRequest.builder().atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE).build();
        try (PhysicalAllocator large =
                PackageAccess.build(
                        PhysicalAllocator.builder().request(request), windows.system())) {
            MemorySegment first = large.allocate(64, 64).fill((byte) 1);
            MemorySegment second = large.allocate(100_000, 8).fill((byte) 2);
            assertThat(large.guarantee(first)).contains(Guarantee.HUGE, Guarantee.LOCKED);
            assertThat(windows.largeBytes()).isEqualTo(LARGE_BYTES);
            large.free(first);
            large.free(second);
        }
    }

    @Test
    void ordinaryRequestsLeaveLargePagesAlone() {
        windows.hold(LOCK_MEMORY);
        MemorySegment block = allocate(PhysicalRequest.ofBytes(2 * LARGE_BYTES));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.BASE_PAGES);
        assertThat(windows.largeBytes()).isZero();
        physical.free(block);
    }

    @Test
    void withoutThePrivilegeItIsSaidHowToGetIt() {
        assertRefused(
                huge(1),
                Reason.NOT_PERMITTED,
                "enabling SeLockMemoryPrivilege: ERROR_NOT_ALL_ASSIGNED (1300)",
                "\"Lock pages in memory\"",
                "secpol.msc");
    }

    @Test
    void whereOtherPagesWillDoTheyAreTakenAndTheReasonIsKept() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(1).pages(PagePolicy.HUGE_2M));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.BASE_PAGES);
        assertThat(physical.provenance(block).declined())
                .extracting(Declined::backing)
                .containsExactly(Backing.LARGE_PAGES);
        assertThat(physical.provenance(block).toString()).contains("ERROR_NOT_ALL_ASSIGNED");
        assertThat(physical.guarantee(block)).isEqualTo(Guarantee.NEVER_SWAPPED);
        physical.free(block);
    }

    @Test
    void moreThanThereIsInOnePieceIsFragmented() {
        windows.hold(LOCK_MEMORY);
        windows.largePages(1);
        assertRefused(
                huge(LARGE_BYTES + 1),
                Reason.FRAGMENTED,
                "4194304 bytes in large pages of 2097152",
                "ERROR_NO_SYSTEM_RESOURCES (1450)",
                "memory is fragmented");
        physical.free(allocate(huge(LARGE_BYTES)));
    }

    @Test
    void aSystemThatDoesNotKnowThemDoesNotSupportThem() {
        windows.refuseLargePages();
        assertRefused(huge(1), Reason.NOT_SUPPORTED, "ERROR_INVALID_PARAMETER (87)");
    }

    @Test
    void guardsDoNotFitAroundThem() {
        windows.hold(LOCK_MEMORY);
        assertRefused(huge(LARGE_BYTES).guarded(), Reason.NOT_SUPPORTED, "no guards");
    }

    // ---- contiguity ---------------------------------------------------------------------------

    @Test
    void contiguousBlocksShareALargePage() {
        windows.hold(LOCK_MEMORY);
        MemorySegment first =
                allocate(PhysicalRequest.ofBytes(10 * PAGE_BYTES).contiguous().aligned(65_536));
        MemorySegment second =
                allocate(PhysicalRequest.ofBytes(3 * PAGE_BYTES).contiguous().boundary(65_536));
        assertThat(windows.largeBytes()).isEqualTo(LARGE_BYTES);
        assertThat(first.address() % 65_536).isZero();
        assertThat(second.address() % 65_536).isLessThanOrEqualTo(65_536 - 3 * PAGE_BYTES);
        assertThat(physical.guarantee(first)).contains(Guarantee.LOCKED, Guarantee.HUGE);
        physical.free(first);
        physical.free(second);
    }

    @Test
    void whatNobodyCanProveIsNotSupported() {
        windows.hold(LOCK_MEMORY);
        for (PhysicalRequest.Builder unprovable :
                List.of(
                        PhysicalRequest.ofBytes(LARGE_BYTES + 1),
                        PhysicalRequest.ofBytes(PAGE_BYTES).within(0, 1L << 40),
                        PhysicalRequest.ofBytes(PAGE_BYTES).aligned(2 * LARGE_BYTES))) {
            assertRefused(
                    unprovable.contiguous(),
                    Reason.NOT_SUPPORTED,
                    "does not show programs the frames of their pages");
        }
        assertThat(windows.largeBytes()).isZero();
    }

    @Test
    void oneBasePageIsContiguousWithoutAnyPrivilege() {
        MemorySegment block = allocate(PhysicalRequest.ofBytes(PAGE_BYTES).contiguous());
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.BASE_PAGES);
        assertThat(windows.reservedBytes()).isLessThan(LARGE_BYTES);
        physical.free(block);
    }

    // ---- refusals -----------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(ints = {5, 8, 87, 487, 998, 1314, 1450, 1453, 1455})
    void anyErrorOfAnyCallAtAnyMomentLosesNothing(int error) {
        windows.hold(LOCK_MEMORY);
        for (int nth = 1; nth <= 24; nth++) {
            PhysicalAllocator tested =
                    PackageAccess.build(PhysicalAllocator.builder(), windows.system());
            windows.failNth(nth, error);
            for (PhysicalRequest.Builder request :
                    List.of(
                            PhysicalRequest.ofBytes(3 * PAGE_BYTES).guarded(),
                            PhysicalRequest.ofBytes(300 * PAGE_BYTES),
                            huge(LARGE_BYTES),
                            PhysicalRequest.ofBytes(5 * PAGE_BYTES).contiguous())) {
                try {
                    tested.free(tested.allocate(request.build()).fill((byte) 1));
                } catch (AllocationException e) {
                    assertThat(tested.stats().liveBlocks()).isZero();
                }
            }
            windows.failNth(0, 0);
            tested.trim(); // what the system refused to take back
            tested.close();
            requireNothingLeft();
        }
    }
}
