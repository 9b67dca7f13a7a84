package dev.kernelalloc.physical;

import static dev.kernelalloc.physical.PagePolicy.BASE;
import static dev.kernelalloc.physical.PagePolicy.HUGE_ONLY;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.host.FragmentedMemory;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.Mapping;
import dev.kernelalloc.testing.host.Merging;
import dev.kernelalloc.testing.host.PagePlaces;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** What the kernel moves when it is made to: a locked page is not a pinned one. */
@HostTest
class MovedPagesTest {

    private static final long FRAGMENTED_BYTES = 256L << 20;
    private static final int LOCKED_PAGES = 2048;
    private static final int HIDDEN_PAGES = 32;
    private static final int LEAST_COMPACTIONS = 3;

    /** How many pages one moves depends on what the machine did before. */
    private static final int MOST_COMPACTIONS = 20;

    private static void requireHiddenMemory() {
        try {
            hidden(1).close();
        } catch (AllocationException e) {
            abort("skipped: " + e.getMessage());
        }
    }

    /** Between each two hidden pages lie many locked ones, so that all lie in the same places. */
    @Test
    void compactionMovesLockedPagesAndNoHiddenOnesAndVerifyTellsWhich() {
        requireHiddenMemory();
        List<MemorySegment> blocks = new ArrayList<>();
        List<SecretMemory> secrets = new ArrayList<>();
        PhysicalAllocator physical = ofBasePages(Guarantee.NEVER_SWAPPED);
        try (FragmentedMemory _ = FragmentedMemory.of(FRAGMENTED_BYTES)) {
            for (int i = 0; i < LOCKED_PAGES; i++) {
                blocks.add(physical.allocate(Mapping.PAGE_BYTES, Mapping.PAGE_BYTES));
                if (i % (LOCKED_PAGES / HIDDEN_PAGES) == 0) {
                    secrets.add(hidden(1));
                }
            }
            PagePlaces locked = PagePlaces.of(addresses(blocks));
            PagePlaces hidden = PagePlaces.of(addressesOfSecrets(secrets));

            List<Long> moved = movedByCompaction(locked);
            assertThat(hidden.moved()).isEmpty();
            Set<Long> ours = Set.copyOf(addresses(blocks));
            assertThat(physical.verify().drifts())
                    .extracting(Drift::virtualAddress)
                    .filteredOn(ours::contains)
                    .containsExactlyInAnyOrderElementsOf(moved);
            assertThat(blocks)
                    .as("after that its addresses are the new ones")
                    .allMatch(
                            block ->
                                    physical.inspect(block)
                                            .address()
                                            .equals(physical.addressOf(block)));
        } finally {
            secrets.forEach(SecretMemory::close);
            blocks.forEach(physical::free);
            physical.close();
        }
    }

    /** Whether a page moves is up to where it lay: where none does, there is nothing to compare. */
    private static List<Long> movedByCompaction(PagePlaces locked) {
        int compactions = 0;
        while (compactions < LEAST_COMPACTIONS
                || compactions < MOST_COMPACTIONS && locked.moved().isEmpty()) {
            FragmentedMemory.compact();
            compactions++;
        }
        List<Long> moved = locked.moved();
        String found =
                "%d compactions moved %d of %d locked pages"
                        .formatted(compactions, moved.size(), LOCKED_PAGES);
        System.out.println(found);
        assumeFalse(moved.isEmpty(), "skipped: " + found + ", so it proves nothing of others");
        return moved;
    }

    /** As many times as locked pages needed to be seen moving in the same place. */
    @Test
    void compactionMovesNoPinnedPage() {
        List<MemorySegment> lockedBlocks = new ArrayList<>();
        List<MemorySegment> pinnedBlocks = new ArrayList<>();
        PhysicalAllocator locking = ofBasePages(Guarantee.NEVER_SWAPPED);
        PhysicalAllocator pinning = ofBasePages(Guarantee.NEVER_MOVED);
        try (FragmentedMemory _ = FragmentedMemory.of(FRAGMENTED_BYTES)) {
            for (int i = 0; i < LOCKED_PAGES; i++) {
                lockedBlocks.add(locking.allocate(Mapping.PAGE_BYTES, Mapping.PAGE_BYTES));
                pinnedBlocks.add(pinning.allocate(Mapping.PAGE_BYTES, Mapping.PAGE_BYTES));
            }
            PagePlaces locked = PagePlaces.of(addresses(lockedBlocks));
            PagePlaces pinned = PagePlaces.of(addresses(pinnedBlocks));

            movedByCompaction(locked);
            assertThat(pinned.moved()).isEmpty();
            assertThat(pinning.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
        } finally {
            lockedBlocks.forEach(locking::free);
            pinnedBlocks.forEach(pinning::free);
            locking.close();
            pinning.close();
        }
    }

    /** Unasked, as long as io_uring is not refused. */
    @Test
    void compactionMovesNoContiguousBlockApart() {
        List<MemorySegment> lockedBlocks = new ArrayList<>();
        List<MemorySegment> contiguousBlocks = new ArrayList<>();
        PhysicalRequest request =
                PhysicalRequest.ofBytes(4 * Mapping.PAGE_BYTES)
                        .contiguous()
                        .pages(PagePolicy.BASE)
                        .build();
        PhysicalAllocator locking = ofBasePages(Guarantee.NEVER_SWAPPED);
        PhysicalAllocator physical = PhysicalAllocator.create();
        try {
            FragmentedMemory.compact(); // first: fragmented memory has no runs
            for (int i = 0; i < 32; i++) {
                contiguousBlocks.add(allocateUnlessFragmented(physical, request));
            }
            contiguousBlocksStayTogether(physical, contiguousBlocks, locking, lockedBlocks);
        } finally {
            contiguousBlocks.forEach(physical::free);
            lockedBlocks.forEach(locking::free);
            physical.close();
            locking.close();
        }
    }

    private static MemorySegment allocateUnlessFragmented(
            PhysicalAllocator physical, PhysicalRequest request) {
        try {
            return physical.allocate(request);
        } catch (AllocationException e) {
            if (e.reason() != AllocationException.Reason.FRAGMENTED) {
                throw e;
            }
            return abort("skipped: memory has too few runs of pages here: " + e.getMessage());
        }
    }

    private static void contiguousBlocksStayTogether(
            PhysicalAllocator physical,
            List<MemorySegment> contiguousBlocks,
            PhysicalAllocator locking,
            List<MemorySegment> lockedBlocks) {
        try (FragmentedMemory _ = FragmentedMemory.of(FRAGMENTED_BYTES)) {
            for (int i = 0; i < LOCKED_PAGES; i++) {
                lockedBlocks.add(locking.allocate(Mapping.PAGE_BYTES, Mapping.PAGE_BYTES));
            }
            assertThat(contiguousBlocks)
                    .allMatch(one -> physical.guarantee(one).contains(Guarantee.PINNED));
            PagePlaces contiguous = PagePlaces.of(addresses(contiguousBlocks));

            movedByCompaction(PagePlaces.of(addresses(lockedBlocks)));
            assertThat(contiguous.moved()).isEmpty();
            assertThat(physical.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
        }
    }

    private static PhysicalAllocator ofBasePages(Set<Guarantee> guarantees) {
        return PhysicalAllocator.builder()
                .request(
                        PhysicalRequest.builder()
                                .pages(PagePolicy.BASE)
                                .atLeast(guarantees)
                                .build())
                .build();
    }

    /** MADV_UNMERGEABLE takes back what was asked for before; prctl(2) asks for all there is. */
    @ParameterizedTest
    @ValueSource(strings = {"before", "after"})
    void equalPagesOfOursAreMergedOnlyWhenThatIsAskedForAfterwards(String asked) throws Exception {
        requireHiddenMemory();
        try (HostGuardian guardian = HostGuardian.start()) {
            Merging.start(guardian);
            ChildJvm.Result result =
                    ChildJvm.onModulePath().withNativeAccess().run(HoldEqualPages.class, asked);
            assertThat(result.exitCode()).as(result.output()).isZero();
            System.out.print("merging asked for " + asked + " the allocation " + result.output());
            assertThat(result.output())
                    .containsPattern(
                            asked.equals("before")
                                    ? "moved 0 of 64 locked pages"
                                    : "moved [1-9][0-9]* of 64 locked pages")
                    .contains("moved 0 of 64 pinned pages", "moved 0 of 8 hidden pages")
                    .contains("verify tells of each: true", "verify of the pinned: CONFIRMED")
                    .contains(
                            "verify of the locked: "
                                    + (asked.equals("before") ? "CONFIRMED" : "DRIFTED"));
        }
        assertThat(Merging.isOn()).isFalse();
    }

    /** Pages with the same contents, in a process whose mappings are all to be merged. */
    static final class HoldEqualPages {

        private static final byte CONTENT = 0x5a;

        private HoldEqualPages() {}

        static void main(String[] asked) {
            if (asked[0].equals("before")) {
                Merging.ofThisProcess();
            }
            List<SecretMemory> secrets =
                    Stream.generate(() -> hidden(Mapping.PAGE_BYTES)).limit(8).toList();
            try (Mapping mapping = Mapping.of(64 * Mapping.PAGE_BYTES);
                    PhysicalAllocator physical = ofBasePages(Guarantee.NEVER_SWAPPED);
                    PhysicalAllocator pinning = ofBasePages(Guarantee.NEVER_MOVED)) {
                List<MemorySegment> blocks = pagesOf(physical);
                List<MemorySegment> pinnedBlocks = pagesOf(pinning);
                mapping.segment().fill(CONTENT);
                blocks.forEach(block -> block.fill(CONTENT));
                pinnedBlocks.forEach(block -> block.fill(CONTENT));
                secrets.forEach(secret -> secret.readWrite().fill(CONTENT));
                PagePlaces other = PagePlaces.of(pages(mapping));
                PagePlaces locked = PagePlaces.of(addresses(blocks));
                PagePlaces pinned = PagePlaces.of(addresses(pinnedBlocks));
                PagePlaces hidden = PagePlaces.of(addressesOfSecrets(secrets));
                if (asked[0].equals("after")) {
                    Merging.ofThisProcess();
                }

                // One page may keep its frame, which the others then share.
                Await.until("other pages are merged", () -> other.moved().size() >= 63);
                long seen = Merging.fullScans();
                Await.until("all was scanned twice more", () -> Merging.fullScans() >= seen + 2);

                IO.println(
                        ("moved %d of 64 locked pages, moved %d of 64 pinned pages,"
                                        + " moved %d of 8 hidden pages")
                                .formatted(
                                        locked.moved().size(),
                                        pinned.moved().size(),
                                        hidden.moved().size()));
                List<Long> moved = locked.moved(); // before: more may be merged at any time
                Verification found = physical.verify();
                List<Long> told = found.drifts().stream().map(Drift::virtualAddress).toList();
                IO.println("verify tells of each: " + told.containsAll(moved));
                IO.println("verify of the locked: " + found.verdict());
                IO.println("verify of the pinned: " + pinning.verify().verdict());
                blocks.forEach(physical::free);
                pinnedBlocks.forEach(pinning::free);
            } finally {
                secrets.forEach(SecretMemory::close);
            }
        }

        private static List<MemorySegment> pagesOf(PhysicalAllocator physical) {
            return Stream.generate(() -> physical.allocate(Mapping.PAGE_BYTES, Mapping.PAGE_BYTES))
                    .limit(64)
                    .toList();
        }

        private static List<Long> pages(Mapping mapping) {
            return LongStream.range(0, mapping.bytes() / Mapping.PAGE_BYTES)
                    .mapToObj(page -> mapping.address() + page * Mapping.PAGE_BYTES)
                    .toList();
        }
    }

    /** The page map calls a merged page exclusive once no other page is left in the merge. */
    @Test
    @DisplayName("A merged page has no address, not even as the last one of its merge")
    void addressOf_lastPageOfAMerge_isRefused() throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            Merging.start(guardian);
            ChildJvm.Result result =
                    ChildJvm.onModulePath().withNativeAccess().run(StayBehindInAMerge.class);
            assertThat(result.exitCode()).as(result.output()).isZero();
            assertThat(result.output()).contains("merged, mapped once, and addressOf says SHARED");
        }
        assertThat(Merging.isOn()).isFalse();
    }

    static final class StayBehindInAMerge {

        private static final byte CONTENT = 0x3c;

        private StayBehindInAMerge() {}

        static void main(String[] none) {
            try (Mapping other = Mapping.of(Mapping.PAGE_BYTES);
                    PhysicalAllocator physical = ofBasePages(Guarantee.IN_MEMORY)) {
                MemorySegment block = physical.allocate(Mapping.PAGE_BYTES, Mapping.PAGE_BYTES);
                other.segment().fill(CONTENT);
                block.fill(CONTENT);
                Merging.ofThisProcess();
                Await.until("the two pages are merged", () -> isShared(physical, block));
                other.segment().fill((byte) ~CONTENT);
                FrameReport alone = physical.inspect(block);
                physical.verify();
                try {
                    IO.println(alone + ", and addressOf says " + physical.addressOf(block));
                } catch (PhysicalAddressException e) {
                    boolean merged = alone.flags().contains(FrameFlag.KSM);
                    boolean once = merged && alone.mappings() == 1;
                    IO.println(
                            (once ? "merged, mapped once" : alone)
                                    + ", and addressOf says "
                                    + e.reason());
                }
                physical.free(block);
            }
        }
    }

    @Test
    @DisplayName("A merge ends what is contiguous from its first page on; one page alone stays so")
    void verify_mergedPages_areNoLongerContiguous() throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            Merging.start(guardian);
            ChildJvm.Result result =
                    ChildJvm.onModulePath().withNativeAccess().run(ContiguousUntilAMerge.class);
            assertThat(result.exitCode()).as(result.output()).isZero();
            if (result.output().contains("skipped: ")) {
                System.out.println(result.output());
                abort(result.output());
            }
            assertThat(result.output())
                    .contains("one page: true, nothing lost")
                    .contains("many pages: false, lost from page 0 on: 512");
        }
        assertThat(Merging.isOn()).isFalse();
    }

    static final class ContiguousUntilAMerge {

        private ContiguousUntilAMerge() {}

        static void main(String[] none) {
            try (PhysicalAllocator physical = ofBasePages(Guarantee.IN_MEMORY)) {
                MemorySegment one = physical.allocate(contiguous(Mapping.PAGE_BYTES, BASE));
                MemorySegment many = physical.allocate(contiguous(2 << 20, HUGE_ONLY));
                if (physical.provenance(many).backing() != Backing.TRANSPARENT_HUGE) {
                    IO.println("skipped: " + physical.provenance(many) + " is never merged");
                    return;
                }
                one.fill((byte) 0x3d);
                many.fill((byte) 0x3d);
                Merging.ofThisProcess();
                MemorySegment last = many.asSlice(many.byteSize() - Mapping.PAGE_BYTES);
                Await.until(
                        "the pages are merged",
                        () ->
                                isShared(physical, one)
                                        && isShared(physical, many)
                                        && isShared(physical, last));
                List<LostGuarantee> lost = physical.verify().lost();
                IO.println("one page: " + stillContiguous(physical, one) + lostOf(lost, one));
                IO.println("many pages: " + stillContiguous(physical, many) + lostOf(lost, many));
                physical.free(one);
                physical.free(many);
            }
        }

        private static PhysicalRequest contiguous(long bytes, PagePolicy pages) {
            return PhysicalRequest.builder()
                    .size(bytes)
                    .contiguous()
                    .pages(pages)
                    .atLeast(Guarantee.IN_MEMORY)
                    .build();
        }

        private static boolean stillContiguous(PhysicalAllocator physical, MemorySegment block) {
            return physical.guarantee(block).contains(Guarantee.CONTIGUOUS);
        }

        private static String lostOf(List<LostGuarantee> lost, MemorySegment block) {
            for (LostGuarantee one : lost) {
                long offset = one.virtualAddress() - block.address();
                if (one.guarantee() == Guarantee.CONTIGUOUS
                        && offset >= 0
                        && offset < block.byteSize()) {
                    long page = offset / Mapping.PAGE_BYTES;
                    return ", lost from page " + page + " on: " + one.pages();
                }
            }
            return ", nothing lost";
        }
    }

    private static boolean isShared(PhysicalAllocator physical, MemorySegment block) {
        try {
            physical.inspect(block);
            return false;
        } catch (PhysicalAddressException e) {
            return e.reason() == PhysicalAddressException.Reason.SHARED;
        }
    }

    private static SecretMemory hidden(long bytes) {
        return SecretMemory.builder().require(Guarantee.HIDDEN, Guarantee.PINNED).allocate(bytes);
    }

    private static List<Long> addresses(List<MemorySegment> blocks) {
        return blocks.stream().map(MemorySegment::address).toList();
    }

    private static List<Long> addressesOfSecrets(List<SecretMemory> secrets) {
        return addresses(secrets.stream().map(SecretMemory::readOnly).toList());
    }
}
