package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** Addresses are kept one for each huge page, and answer for each base page in it. */
@EnabledOnOs(OS.LINUX)
class HugeTranslationTest {

    private static final long PAGE_BYTES = 4096;
    private static final long HUGE_BYTES = 2L << 20;
    private static final int MADV_DONTNEED_LOCKED = 24;

    @AutoClose private final PhysicalAllocator physical = PhysicalAllocator.create();
    private final List<MemorySegment> blocks = new ArrayList<>();

    private MemorySegment huge(long bytes) {
        return huge(bytes, PagePolicy.HUGE_2M);
    }

    private MemorySegment huge(long bytes, PagePolicy pages) {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
        MemorySegment block =
                physical.allocate(PhysicalRequest.ofBytes(bytes).pages(pages).build());
        boolean huge = physical.guarantee(block).contains(Guarantee.HUGE);
        if (!huge) {
            physical.free(block);
        }
        assumeTrue(huge, "skipped: the kernel gave no huge pages");
        blocks.add(block);
        return block;
    }

    private void free(MemorySegment block) {
        blocks.remove(block);
        physical.free(block);
    }

    @AfterEach
    void freeWhatFailedTestsLeft() {
        blocks.forEach(physical::free);
    }

    private void checkEveryPage(MemorySegment block) {
        for (long offset = 0; offset < block.byteSize(); offset += PAGE_BYTES) {
            long address = block.address() + offset;
            PhysicalAddress found = physical.addressOf(block, offset + 7);
            assertThat(found.value()).isEqualTo(LinuxProcess.physicalAddress(address) + 7);
            assertThat(physical.virtualAddressOf(found)).isEqualTo(OptionalLong.of(address + 7));
        }
        assertThat(physical.addressOf(block).value())
                .isEqualTo(LinuxProcess.physicalAddress(block.address()));
    }

    @Test
    @DisplayName("Each page of huge pages has the address that the page map shows, both ways")
    void addressOf_everyPageOfHugePages_isThatOfThePageMap() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    MemorySegment block = huge(3 * HUGE_BYTES);
                    checkEveryPage(block);
                    PhysicalAddress last = physical.addressOf(block, block.byteSize() - 1);
                    free(block);
                    physical.trim();
                    assertThat(physical.virtualAddressOf(last)).isEmpty();
                });
    }

    @Test
    @DisplayName("A page of a huge page that was replaced has its new address after an audit")
    void addressOf_aReplacedPageOfAHugePage_isTheNewOneAfterVerify() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    // Not of the pool: its pages have no parts to replace.
                    MemorySegment block = huge(2 * HUGE_BYTES, PagePolicy.AUTO);
                    assumeTrue(
                            physical.provenance(block).backing() == Backing.TRANSPARENT_HUGE,
                            "skipped: no transparent huge pages");
                    PhysicalAddress old = physical.addressOf(block, HUGE_BYTES + 5 * PAGE_BYTES);
                    assertThat(physical.virtualAddressOf(old)).isPresent();
                    MemorySegment replaced = block.asSlice(HUGE_BYTES + 5 * PAGE_BYTES, PAGE_BYTES);
                    assertThat(CFunctions.madvise(replaced, MADV_DONTNEED_LOCKED)).isZero();
                    replaced.fill((byte) 1);
                    Verification found = physical.verify(block);
                    assertThat(found.drifts()).hasSize(1);
                    assertThat(found.drifts().getFirst().virtualAddress())
                            .isEqualTo(replaced.address());
                    checkEveryPage(block);
                    assertThat(physical.virtualAddressOf(old)).isEmpty();
                    free(block);
                });
    }

    @Test
    @DisplayName("Audits of more memory need no more Java heap")
    void verify_moreMemory_allocatesNoMoreOfTheJavaHeap() {
        MemorySegment small = huge(2 * HUGE_BYTES);
        long ofSmall = allocatedByAnAudit(small);
        free(small);
        MemorySegment large = huge(32 * HUGE_BYTES);
        long ofLarge = allocatedByAnAudit(large);
        free(large);
        long pages = 30 * HUGE_BYTES / PAGE_BYTES;
        assertThat(ofLarge - ofSmall).isLessThan(8 * pages); // not even a number for each
    }

    private long allocatedByAnAudit(MemorySegment block) {
        physical.verify(block);
        long before = allocated();
        physical.verify(block);
        return allocated() - before;
    }

    @Test
    @DisplayName("A visitor receives the extents of the list, and costs no objects")
    void extents_toAVisitor_areThoseOfTheListWithoutGarbage() {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
        MemorySegment block =
                physical.allocate(PhysicalRequest.ofBytes(4 << 20).pages(PagePolicy.BASE).build());
        List<PhysicalExtent> seen = new ArrayList<>();
        physical.extents(
                block,
                3000,
                1 << 13,
                (address, bytes) ->
                        seen.add(
                                new PhysicalExtent(
                                        new PhysicalAddress(
                                                address, physical.addressOf(block).scope()),
                                        bytes)));
        assertThat(seen).isEqualTo(physical.extents(block, 3000, 1 << 13));
        assertThat(seen).hasSizeGreaterThan(1000);
        long[] sum = new long[1];
        long before = 0;
        for (int i = 0; i < 2; i++) { // the first time links the lambda
            before = allocated();
            physical.extents(block, 3000, 0, (address, bytes) -> sum[0] += bytes);
        }
        assertThat(allocated() - before).isLessThan(seen.size());
        assertThat(sum[0]).isEqualTo(2 * block.byteSize());
        physical.free(block);
    }

    @Test
    @DisplayName("An audit for which the Java heap has no room says so, and audits the others")
    void verify_withoutJavaHeapForOneSlab_saysSoAndGoesOn() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        try (PhysicalAllocator faked = PackageAccess.build(PhysicalAllocator.builder(), os)) {
            PhysicalRequest request = PhysicalRequest.ofBytes(PAGE_BYTES).build();
            MemorySegment first = faked.allocate(request);
            MemorySegment second = faked.allocate(request);
            os.refuse(
                            Operation.READ_PAGE_MAP,
                            () -> {
                                throw new OutOfMemoryError("by the test");
                            })
                    .onNth(1);
            Verification found = faked.verify();
            assertThat(found.verdict()).isEqualTo(Verification.Verdict.NOT_VERIFIABLE);
            assertThat(found.unverifiable())
                    .hasValueSatisfying(
                            why -> assertThat(why).contains("the Java heap is exhausted"));
            assertThat(found.checkedPages()).isEqualTo(1);
            os.allow(Operation.READ_PAGE_MAP);
            found = faked.verify();
            assertThat(found.verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
            assertThat(found.checkedPages()).isEqualTo(2);
            faked.free(first);
            faked.free(second);
        }
    }

    @Test
    @DisplayName("An audit of one page takes no buffers for thousands")
    void verify_ofOnePage_needsLittleHeap() {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: without rights, an audit reads smaps");
        try (PhysicalAllocator one = PhysicalAllocator.create()) {
            MemorySegment block = one.allocate(PhysicalRequest.ofBytes(1).build());
            one.verify(block); // loads classes
            long before = allocated();
            one.verify(block);
            assertThat(allocated() - before).isLessThan(64 << 10);
            one.free(block);
        }
    }

    /** By reflection, as the module does not read that of the interface. */
    private static long allocated() {
        try {
            return (long)
                    Class.forName("com.sun.management.ThreadMXBean")
                            .getMethod("getCurrentThreadAllocatedBytes")
                            .invoke(ManagementFactory.getThreadMXBean());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }
}
