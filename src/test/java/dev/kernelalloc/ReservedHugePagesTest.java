package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Verification;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.host.FragmentedMemory;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;
import dev.kernelalloc.testing.host.PagePlaces;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
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

    /** {@code MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB}. */
    private static final int MAP_POOL = 0x1 | 0x20 | 0x40000;

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
        MemorySegment block =
                allocate(
                        PhysicalRequest.ofBytes(2 * HugePages.BYTES)
                                .contiguous()
                                .aligned(HugePages.BYTES)
                                .pages(PagePolicy.HUGE_ONLY));
        long start = LinuxProcess.physicalAddress(block.address());
        assumeTrue(
                physical.provenance(block).backing() == Backing.POOL_2M,
                () ->
                        "skipped: no two pages of the pool lie side by side: "
                                + physical.provenance(block));
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
    @SuppressWarnings("restricted")
    void adoptedPagesOfThePoolAreHugeAndNeverSwappedWithoutALock() throws Throwable {
        long address =
                (long)
                        Linker.nativeLinker()
                                .downcallHandle(
                                        Linker.nativeLinker().defaultLookup().findOrThrow("mmap"),
                                        FunctionDescriptor.of(
                                                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT,
                                                JAVA_INT, JAVA_LONG))
                                .invokeExact(
                                        0L, HugePages.BYTES, PROT_READ_WRITE, MAP_POOL, -1, 0L);
        MemorySegment memory = MemorySegment.ofAddress(address).reinterpret(HugePages.BYTES);
        try (AdoptedMemory adopted =
                physical.adopt(
                        memory,
                        PhysicalRequest.ofBytes(0)
                                .atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE)
                                .build())) {
            assertThat(adopted.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
            assertThat(adopted.guarantee()).contains(Guarantee.LOCKED, Guarantee.HUGE);
            assertThat(adopted.extents()).hasSize(1);
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
        } finally {
            int unmapped =
                    (int)
                            Linker.nativeLinker()
                                    .downcallHandle(
                                            Linker.nativeLinker()
                                                    .defaultLookup()
                                                    .findOrThrow("munmap"),
                                            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG))
                                    .invokeExact(address, HugePages.BYTES);
            assertThat(unmapped).isZero();
        }
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
