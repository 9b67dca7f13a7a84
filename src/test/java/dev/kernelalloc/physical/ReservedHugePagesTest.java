package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.AdoptedMemory;
import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.host.FragmentedMemory;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;
import dev.kernelalloc.testing.host.PagePlaces;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/** Pages of the pool, which are reserved for these tests and given back. */
@HostTest
class ReservedHugePagesTest {

    private static final long PAGE_BYTES = 4096;
    private static final int PAGES = 16;
    private static final int HUGETLB = 17;
    private static final int PROT_READ_WRITE = 3;

    private static final int MAP_SHARED = 0x1;
    private static final int MAP_PRIVATE = 0x2;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MAP_ANONYMOUS_HUGETLB = 0x20 | 0x40000;
    private static final int MADV_DONTNEED = 4;

    private static final PhysicalRequest NEVER_SWAPPED_AND_HUGE =
            PhysicalRequest.ofBytes(0).atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE).build();

    private final HostGuardian guardian = HostGuardian.start();
    private final PhysicalAllocator physical = PhysicalAllocator.create();
    private final List<MemorySegment> blocks = new ArrayList<>();
    private HugePages reserved;
    private long freeBefore;
    private long lockedBefore;

    @BeforeEach
    void reserve() {
        reserved = HugePages.reserve(guardian, PAGES);
        freeBefore = HugePages.free();
        lockedBefore = LinuxProcess.lockedBytes();
    }

    @AfterEach
    void everythingGoesBack() {
        try {
            blocks.forEach(physical::free); // also where a test has failed: a page in use stays
            physical.close();
            if (reserved != null) {
                assertThat(HugePages.free()).isEqualTo(freeBefore);
                assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
            }
        } finally {
            guardian.close();
        }
    }

    private MemorySegment allocate(PhysicalRequest.Builder request) {
        MemorySegment block = physical.allocate(request.build());
        blocks.add(block);
        return block.fill((byte) 1);
    }

    private void free(MemorySegment block) {
        blocks.remove(block);
        physical.free(block);
    }

    private static List<Long> pagesOf(MemorySegment block) {
        return LongStream.range(0, Math.ceilDiv(block.byteSize(), PAGE_BYTES))
                .mapToObj(page -> block.address() + page * PAGE_BYTES)
                .toList();
    }

    @Test
    void aBlockOfOnePageTakesOneOfThePoolAndGivesItBack() {
        MemorySegment block =
                allocate(
                        PhysicalRequest.ofBytes(100)
                                .pages(PagePolicy.HUGE_2M)
                                .atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.POOL_2M);
        assertThat(HugePages.free()).isEqualTo(freeBefore - 1);
        assertThat(LinuxProcess.hugeBytes(block.address())).isEqualTo(HugePages.BYTES);
        long frame = LinuxProcess.physicalAddress(block.address()) / PAGE_BYTES;
        long flags = LinuxProcess.frameRecord("/proc/kpageflags", frame);
        assertThat(flags >>> HUGETLB & 1).as("kpageflags %x", flags).isEqualTo(1);
        assertThat(physical.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
        free(block);
        assertThat(HugePages.free()).isEqualTo(freeBefore);
    }

    /** Two pages of the pool that lie side by side are found among those there are. */
    @Test
    void aContiguousBlockOfSeveralPagesLiesInOnePieceInAFreshPageMap() {
        reserved = reserved.takeOthers(guardian);
        freeBefore = HugePages.free();
        List<Long> places = placesOfThePool();
        boolean sideBySide =
                places.stream().anyMatch(place -> places.contains(place + HugePages.BYTES));
        String reason = "skipped: no two pages of the pool lie side by side: " + places;
        if (!sideBySide) {
            System.out.println(reason);
        }
        assumeTrue(sideBySide, reason);
        MemorySegment block =
                allocate(
                        PhysicalRequest.ofBytes(2 * HugePages.BYTES)
                                .contiguous()
                                .aligned(HugePages.BYTES)
                                .pages(PagePolicy.HUGE_ONLY));
        assertThat(physical.provenance(block).backing()).isEqualTo(Backing.POOL_2M);
        long start = LinuxProcess.physicalAddress(block.address());
        assertThat(start % HugePages.BYTES).isZero();
        assertThat(pagesOf(block))
                .allMatch(
                        page ->
                                LinuxProcess.physicalAddress(page) - start
                                        == page - block.address());
        assertThat(physical.extents(block))
                .containsExactly(
                        new PhysicalExtent(physical.addressOf(block), 2 * HugePages.BYTES));
        assertThat(HugePages.free()).as("what was not needed is back").isEqualTo(freeBefore - 2);
    }

    @Test
    void smallContiguousBlocksShareAPageOfThePoolUntilTheLastIsFreed() {
        PhysicalRequest.Builder request = PhysicalRequest.ofBytes(3 * PAGE_BYTES).contiguous();
        MemorySegment first = allocate(request);
        MemorySegment second = allocate(request);
        assertThat(physical.provenance(first).backing()).isEqualTo(Backing.POOL_2M);
        assertThat(HugePages.free()).isEqualTo(freeBefore - 1);
        free(first);
        free(second);
        physical.trim();
        assertThat(HugePages.free()).isEqualTo(freeBefore);
    }

    @Test
    void adoptedPagesOfThePoolAreHugeAndNeverSwappedWithoutALock() {
        MemorySegment memory = mapPool(MAP_SHARED, 1);
        try (AdoptedMemory adopted = physical.adopt(memory, NEVER_SWAPPED_AND_HUGE)) {
            assertThat(adopted.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
            assertThat(adopted.guarantee()).contains(Guarantee.LOCKED, Guarantee.HUGE);
            assertThat(adopted.extents()).hasSize(1);
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
        } finally {
            unmap(memory);
        }
    }

    /** The part begins within a huge page, and its frames are those of the page map. */
    @Test
    void adoptedPartsOfAPageOfThePoolAreContiguousAndNotHuge() {
        MemorySegment memory = mapPool(MAP_SHARED, 1);
        MemorySegment part = memory.asSlice(PAGE_BYTES, 3 * PAGE_BYTES);
        PhysicalRequest contiguous = PhysicalRequest.ofBytes(0).contiguous().build();
        try (AdoptedMemory adopted = physical.adopt(part, contiguous)) {
            assertThat(adopted.guarantee())
                    .contains(Guarantee.LOCKED, Guarantee.CONTIGUOUS)
                    .doesNotContain(Guarantee.HUGE);
            for (long page : pagesOf(part)) {
                assertThat(adopted.addressOf(page - part.address()).value())
                        .isEqualTo(LinuxProcess.physicalAddress(page));
            }
            assertThat(adopted.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(part, NEVER_SWAPPED_AND_HUGE))
                    .withMessageContaining("without [HUGE]");
        } finally {
            unmap(memory);
        }
    }

    @ParameterizedTest(name = "mmap flags {0}")
    @ValueSource(ints = {MAP_SHARED, MAP_PRIVATE})
    void adoptedPagesOfThePoolArePinnedUntilTheAdoptionIsClosed(int sharing) {
        long pinnedBefore = LinuxProcess.pinnedBytes();
        MemorySegment memory = mapPool(sharing, 2);
        try {
            AdoptedMemory adopted;
            try {
                adopted =
                        physical.adopt(
                                memory,
                                PhysicalRequest.ofBytes(0).atLeast(Guarantee.NEVER_MOVED).build());
            } catch (AllocationException e) {
                assumeTrue(false, "skipped: pins are refused: " + e.getMessage());
                return;
            }
            PagePlaces places = PagePlaces.of(pagesOf(memory));
            FragmentedMemory.compact();
            assertThat(places.moved()).isEmpty();
            assertThat(adopted.guarantee()).contains(Guarantee.PINNED, Guarantee.HUGE);
            assertThat(adopted.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
            adopted.close();
            assertThat(LinuxProcess.pinnedBytes()).isEqualTo(pinnedBefore);
        } finally {
            unmap(memory);
        }
    }

    /** A private mapping loses them for good: the next touch takes others. */
    @Test
    void adoptedPagesOfThePoolThatAreDroppedAreDrifts() {
        MemorySegment memory = mapPool(MAP_PRIVATE, 2);
        try (AdoptedMemory adopted = physical.adopt(memory, NEVER_SWAPPED_AND_HUGE)) {
            MemorySegment second = memory.asSlice(HugePages.BYTES);
            assertThat(CFunctions.madvise(second, MADV_DONTNEED)).isZero();
            assertThat(adopted.verify().verdict()).isNotEqualTo(Verification.Verdict.CONFIRMED);
            assertThatExceptionOfType(PhysicalAddressException.class)
                    .isThrownBy(() -> adopted.addressOf(HugePages.BYTES));
            assertThat(adopted.addressOf(0).value())
                    .isEqualTo(LinuxProcess.physicalAddress(memory.address()));
            second.fill((byte) 1);
            Verification _ = adopted.verify();
            assertThat(adopted.addressOf(HugePages.BYTES).value())
                    .isEqualTo(LinuxProcess.physicalAddress(second.address()));
        } finally {
            unmap(memory);
        }
    }

    /** Such a mapping is made without a promise: a touch would end the process. */
    @Test
    void adoptingMoreThanThePoolHasIsAnException() {
        MemorySegment memory = mapPool(MAP_SHARED | MAP_NORESERVE, freeBefore + 1);
        try {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(memory, NEVER_SWAPPED_AND_HUGE))
                    .withMessageContaining("there is no memory left");
        } finally {
            unmap(memory);
        }
    }

    /** Where the free pages lie, by a mapping that the library knows nothing of. */
    private List<Long> placesOfThePool() {
        MemorySegment all = mapPool(MAP_SHARED, freeBefore);
        try {
            all.fill((byte) 1);
            return LongStream.range(0, freeBefore)
                    .map(page -> all.address() + page * HugePages.BYTES)
                    .mapToObj(LinuxProcess::physicalAddress)
                    .toList();
        } finally {
            unmap(all);
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment mapPool(int flags, long pages) {
        long bytes = pages * HugePages.BYTES;
        FunctionDescriptor type =
                FunctionDescriptor.of(
                        JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
        try {
            long address =
                    (long)
                            function("mmap", type)
                                    .invokeExact(
                                            0L,
                                            bytes,
                                            PROT_READ_WRITE,
                                            flags | MAP_ANONYMOUS_HUGETLB,
                                            -1,
                                            0L);
            assertThat(address).as("the address of %d pages", pages).isNotEqualTo(-1);
            return MemorySegment.ofAddress(address).reinterpret(bytes);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static void unmap(MemorySegment memory) {
        FunctionDescriptor type = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG);
        try {
            int result =
                    (int) function("munmap", type).invokeExact(memory.address(), memory.byteSize());
            assertThat(result).isZero();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle function(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    @Test
    void moreThanThePoolHasIsRefusedWithWhatItHasOrTakenElsewhere() {
        long tooMany = (freeBefore + 1) * HugePages.BYTES;
        MemorySegment block = allocate(PhysicalRequest.ofBytes(tooMany).pages(PagePolicy.HUGE_2M));
        assertThat(physical.provenance(block).backing()).isNotEqualTo(Backing.POOL_2M);
        assertThat(physical.provenance(block).toString())
                .contains("%d are free".formatted(freeBefore), "nr_hugepages");
        assertThat(HugePages.free()).isEqualTo(freeBefore);
    }

    @Test
    void compactionMovesNoPageOfThePool() {
        MemorySegment block =
                allocate(PhysicalRequest.ofBytes(4 * HugePages.BYTES).pages(PagePolicy.HUGE_2M));
        PagePlaces places = PagePlaces.of(pagesOf(block));
        FragmentedMemory.compact();
        FragmentedMemory.compact();
        assertThat(places.moved()).isEmpty();
        assertThat(physical.verify(block).drifts()).isEmpty();
    }

    /** What is reserved for others is not promised: the kernel would end whoever touches it. */
    @Test
    void aPoolThatIsUsedUpIsAnExceptionWhereNothingElseServes() {
        allocate(PhysicalRequest.ofBytes(freeBefore * HugePages.BYTES).pages(PagePolicy.HUGE_2M));
        assertThat(HugePages.free()).isZero();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(
                        () ->
                                allocate(
                                        PhysicalRequest.ofBytes(1)
                                                .pages(PagePolicy.HUGE_1G)
                                                .within(0, 1 << 20)
                                                .contiguous()))
                .withMessageContaining("0 are free");
    }
}
