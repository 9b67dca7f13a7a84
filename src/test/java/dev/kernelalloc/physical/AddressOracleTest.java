package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;
import dev.kernelalloc.testing.ProcessSettings;
import dev.kernelalloc.testing.host.DirectMap;
import dev.kernelalloc.testing.host.FragmentedMemory;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Physical addresses against the kernel's own mapping of physical memory: what a program writes to
 * a block is read back at the block's physical address. Every page has random contents of its own,
 * so an address that is off by any amount is found.
 */
@HostTest
class AddressOracleTest {

    private static final int PAGE_BYTES = DirectMap.PAGE_BYTES;
    private static final int MIB = 1 << 20;
    private static final int MOST_READ_PAGES = 400;

    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);
    private final List<MemorySegment> blocks = new ArrayList<>();
    private final DirectMap memory = DirectMap.open();
    private PhysicalAllocator physical;

    @BeforeEach
    void open() {
        System.out.printf("seed %d, direct map at 0x%x%n", seed, memory.base());
        physical = PhysicalAllocator.create();
    }

    @AfterEach
    void close() {
        freeAll();
        physical.close();
        memory.close();
    }

    private void freeAll() {
        blocks.forEach(physical::free);
        blocks.clear();
    }

    // ---- addresses ------------------------------------------------------------------------------

    @Test
    @DisplayName("addressOf a base page is where the kernel finds its bytes")
    void addressOf_basePages_bytesAreThere() {
        PhysicalRequest page = PhysicalRequest.ofBytes(PAGE_BYTES).pages(PagePolicy.BASE).build();
        for (int i = 0; i < MOST_READ_PAGES; i++) {
            allocate(page);
        }
        requireBytes(Backing.BASE_PAGES);
    }

    @Test
    @DisplayName("addressOf a small block of the engine is where the kernel finds its bytes")
    void addressOf_smallBlocks_bytesAreThere() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    freeAll();
                    for (int i = 0; i < MOST_READ_PAGES; i++) {
                        long bytes = 16 + random.nextInt(2000);
                        MemorySegment block = physical.allocate(bytes, 1L << random.nextInt(8));
                        blocks.add(block);
                        block.copyFrom(MemorySegment.ofArray(contents(block, 0, (int) bytes)));
                    }
                    for (MemorySegment block : blocks) {
                        byte[] expected = contents(block, 0, (int) block.byteSize());
                        int at = 0;
                        for (PhysicalExtent extent :
                                physical.extents(block, PAGE_BYTES, PAGE_BYTES)) {
                            int length = (int) extent.bytes();
                            int from = (int) (extent.start().value() % PAGE_BYTES);
                            byte[] page = memory.read(extent.start().value()).orElseThrow();
                            assertThat(
                                            Arrays.equals(
                                                    page,
                                                    from,
                                                    from + length,
                                                    expected,
                                                    at,
                                                    at + length))
                                    .as(
                                            "bytes %d to %d of %s are at %s",
                                            at, at + length, block, extent)
                                    .isTrue();
                            assertThat(physical.addressOf(block, at)).isEqualTo(extent.start());
                            at += length;
                        }
                        assertThat(at).isEqualTo(expected.length);
                    }
                });
    }

    @Test
    @DisplayName("addressOf pages of a transparent huge page is where the kernel finds their bytes")
    void addressOf_transparentHugePages_bytesAreThere() {
        allocateOrSkip(
                PhysicalRequest.ofBytes(32L * MIB)
                        .pages(PagePolicy.HUGE_ONLY)
                        .atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE)
                        .build());
        requireBytes(Backing.TRANSPARENT_HUGE);
    }

    @Test
    @DisplayName("addressOf pages of the huge page pool is where the kernel finds their bytes")
    void addressOf_poolPages_bytesAreThere() {
        try (HostGuardian guardian = HostGuardian.start()) {
            HugePages reserved = HugePages.reserve(guardian, 8);
            allocateOrSkip(
                    PhysicalRequest.ofBytes(reserved.granted() * HugePages.BYTES)
                            .pages(PagePolicy.HUGE_2M)
                            .build());
            requireBytes(Backing.POOL_2M);
            blocks.forEach(physical::free);
            blocks.clear();
            physical.trim();
        }
    }

    @Test
    @DisplayName("A contiguous block is one piece of physical memory, in the order of its bytes")
    void extents_contiguousBlocks_bytesLieSideBySide() {
        for (int i = 0; i < 8; i++) {
            allocateOrSkip(PhysicalRequest.ofBytes(MIB).contiguous().aligned(MIB).build());
        }
        for (MemorySegment block : blocks) {
            List<PhysicalExtent> extents = physical.extents(block);
            assertThat(extents).hasSize(1);
            long start = extents.getFirst().start().value();
            assertThat(start % MIB).isZero();
            for (long at = 0; at < block.byteSize(); at += PAGE_BYTES) {
                requireAt(start + at, block, at);
            }
        }
    }

    @Test
    @DisplayName("A contiguous block without huge pages is one piece too")
    void extents_contiguousWithoutHugePages_bytesLieSideBySide() {
        assumeTrue(ProcessSettings.forbidHugePages(), "skipped: huge pages cannot be forbidden");
        try {
            Set<Backing> ways = new LinkedHashSet<>();
            for (int i = 0; i < 16; i++) {
                MemorySegment block =
                        allocateOrSkip(PhysicalRequest.ofBytes(64 << 10).contiguous().build());
                ways.add(physical.provenance(block).backing());
                long start = physical.addressOf(block).value();
                for (long at = 0; at < block.byteSize(); at += PAGE_BYTES) {
                    requireAt(start + at, block, at);
                }
            }
            System.out.println("by " + ways);
        } finally {
            ProcessSettings.allowHugePages();
        }
    }

    @Test
    @DisplayName("A pinned page is where it was after compaction, and so are its bytes")
    void addressOf_pinnedPagesAfterCompaction_bytesAreStillThere() {
        PhysicalRequest pinned =
                PhysicalRequest.ofBytes(PAGE_BYTES)
                        .pages(PagePolicy.BASE)
                        .atLeast(Guarantee.NEVER_MOVED)
                        .build();
        try (FragmentedMemory _ = FragmentedMemory.of(256L * MIB)) {
            for (int i = 0; i < MOST_READ_PAGES; i++) {
                allocateOrSkip(pinned);
            }
            for (int i = 0; i < 3; i++) {
                FragmentedMemory.compact();
            }
            requireBytes(Backing.BASE_PAGES);
        }
    }

    @Test
    @DisplayName("After verify, addressOf a page that compaction has moved is its new place")
    void addressOf_lockedPagesAfterCompactionAndVerify_bytesAreAtTheNewPlace() {
        PhysicalRequest page = PhysicalRequest.ofBytes(PAGE_BYTES).pages(PagePolicy.BASE).build();
        try (FragmentedMemory _ = FragmentedMemory.of(256L * MIB)) {
            for (int i = 0; i < 2048; i++) {
                allocate(page);
            }
            for (int i = 0; i < 3; i++) {
                FragmentedMemory.compact();
            }
            List<Drift> drifts = physical.verify().drifts();
            System.out.println(drifts.size() + " of " + blocks.size() + " pages have moved");
            for (MemorySegment block : blocks) {
                requireAt(physical.addressOf(block).value(), block, 0);
            }
        }
    }

    @Test
    @DisplayName("virtualAddressOf is the way back from what the kernel reads")
    void virtualAddressOf_randomBytes_leadsBack() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    freeAll();
                    MemorySegment block =
                            allocate(
                                    PhysicalRequest.ofBytes(4L * MIB)
                                            .pages(PagePolicy.AUTO)
                                            .build());
                    for (int i = 0; i < MOST_READ_PAGES; i++) {
                        long at = random.nextLong(block.byteSize());
                        var place = physical.addressOf(block, at);
                        assertThat(physical.virtualAddressOf(place)).hasValue(block.address() + at);
                        assertThat(
                                        memory.read(place.value())
                                                .orElseThrow()[(int) (place.value() % PAGE_BYTES)])
                                .isEqualTo(block.get(ValueLayout.JAVA_BYTE, at));
                    }
                });
    }

    // ---- secrets --------------------------------------------------------------------------------

    @Test
    @DisplayName("The kernel cannot read hidden memory at its physical address while it is open")
    void read_hiddenMemory_isRefused() {
        int pages = 16;
        List<Long> places = new ArrayList<>();
        byte[] secret = new byte[pages * PAGE_BYTES];
        random.nextBytes(secret);
        try (SecretMemory hidden = hidden(secret.length)) {
            hidden.readWrite().copyFrom(MemorySegment.ofArray(secret));
            MemorySegment bytes = hidden.readOnly();
            for (int page = 0; page < pages; page++) {
                places.add(LinuxProcess.physicalAddress(bytes.address() + page * PAGE_BYTES));
            }
            for (long place : places) {
                assertThat(memory.read(place).isPresent()).as("read at 0x%x", place).isFalse();
            }
            hidden.noAccess();
            for (long place : places) {
                assertThat(memory.read(place).isPresent()).as("read at 0x%x", place).isFalse();
            }
        }
        // The same program reads the same frames once they are the kernel's again.
        for (int page = 0; page < pages; page++) {
            Optional<byte[]> left = memory.read(places.get(page));
            byte[] part = Arrays.copyOfRange(secret, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
            assertThat(left.isPresent()).as("the frame after the close can be read").isTrue();
            assertThat(Arrays.equals(left.orElseThrow(), part)).as("the secret is left").isFalse();
        }
    }

    @Test
    @DisplayName("Only the pages of the secret are hidden from the kernel, not those around it")
    void read_besideHiddenMemory_isOurs() {
        PhysicalRequest page = PhysicalRequest.ofBytes(PAGE_BYTES).pages(PagePolicy.BASE).build();
        List<SecretMemory> secrets = new ArrayList<>();
        try {
            for (int i = 0; i < 64; i++) {
                secrets.add(hidden(PAGE_BYTES));
                allocate(page);
            }
            requireBytes(Backing.BASE_PAGES);
            for (SecretMemory secret : secrets) {
                long place = LinuxProcess.physicalAddress(secret.readOnly().address());
                assertThat(memory.read(place).isPresent()).as("read at 0x%x", place).isFalse();
            }
        } finally {
            secrets.forEach(SecretMemory::close);
        }
    }

    private static SecretMemory hidden(long bytes) {
        try {
            return SecretMemory.builder().require(Guarantee.HIDDEN).allocate(bytes);
        } catch (AllocationException e) {
            return abort("skipped: " + e.getMessage());
        }
    }

    // ---- blocks and their bytes -----------------------------------------------------------------

    private MemorySegment allocateOrSkip(PhysicalRequest request) {
        try {
            return allocate(request);
        } catch (AllocationException e) {
            return abort("skipped: " + e.getMessage());
        }
    }

    private MemorySegment allocate(PhysicalRequest request) {
        MemorySegment block = physical.allocate(request);
        blocks.add(block);
        for (long at = 0; at < block.byteSize(); at += PAGE_BYTES) {
            MemorySegment.copy(
                    MemorySegment.ofArray(contents(block, at, PAGE_BYTES)),
                    0,
                    block,
                    at,
                    PAGE_BYTES);
        }
        return block;
    }

    /** What a piece of a block is filled with; depends on its place. */
    private byte[] contents(MemorySegment block, long at, int bytes) {
        byte[] contents = new byte[bytes];
        new Random(seed ^ (block.address() + at) * 0x9E3779B97F4A7C15L).nextBytes(contents);
        return contents;
    }

    /** Of all blocks, random pages are found at their addresses. */
    private void requireBytes(Backing way) {
        assertThat(blocks)
                .allSatisfy(
                        block -> assertThat(physical.provenance(block).backing()).isEqualTo(way));
        Stream.generate(() -> blocks.get(random.nextInt(blocks.size())))
                .limit(MOST_READ_PAGES)
                .forEach(
                        block -> {
                            long at = random.nextLong(block.byteSize() / PAGE_BYTES) * PAGE_BYTES;
                            long offset = at + random.nextInt(PAGE_BYTES);
                            requireAt(physical.addressOf(block, offset).value(), block, at);
                            assertThat(physical.addressOf(block, offset).value() % PAGE_BYTES)
                                    .isEqualTo(offset % PAGE_BYTES);
                        });
    }

    /**
     * A page that is merely locked may move at any time, but then {@code verify} says so, and its
     * address is the new one.
     */
    private void requireAt(long place, MemorySegment block, long at) {
        byte[] expected = contents(block, at, PAGE_BYTES);
        byte[] found = memory.read(place).orElseThrow();
        if (!Arrays.equals(found, expected)
                && !physical.guarantee(block).contains(Guarantee.PINNED)) {
            long page = block.address() + at;
            assertThat(physical.verify(block).drifts())
                    .as("page 0x%x is not at 0x%x", page, place)
                    .extracting(Drift::virtualAddress)
                    .contains(page);
            found = memory.read(physical.addressOf(block, at).value()).orElseThrow();
        }
        assertThat(Arrays.equals(found, expected))
                .as("byte 0x%x of %s is at 0x%x", at, block, place)
                .isTrue();
    }
}
