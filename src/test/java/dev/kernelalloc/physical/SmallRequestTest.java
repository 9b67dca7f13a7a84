package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** Blocks of a few pages by request lie side by side. */
@EnabledOnOs(OS.LINUX)
class SmallRequestTest {

    private static final long PAGE_BYTES = 4096;

    /** How blocks lie in physical memory; contiguous ones are of base pages. */
    enum Kind {
        ANYWHERE,
        CONTIGUOUS,
        /** Below an address. */
        PLACED
    }

    private static PhysicalRequest request(long bytes, boolean guarded) {
        return request(Kind.ANYWHERE, bytes, guarded);
    }

    private static PhysicalRequest request(Kind kind, long bytes, boolean guarded) {
        PhysicalRequest.Builder request =
                PhysicalRequest.ofBytes(bytes).atLeast(Guarantee.RESIDENT);
        if (kind != Kind.ANYWHERE) {
            request.contiguous().pages(PagePolicy.BASE);
        }
        if (kind == Kind.PLACED) {
            request.within(0, 1L << 44);
        }
        return (guarded ? request.guarded() : request).build();
    }

    @ParameterizedTest(name = "{0} of {1} pages, guarded {2}")
    @CsvSource({
        "ANYWHERE, 1, false",
        "ANYWHERE, 1, true",
        "CONTIGUOUS, 1, false",
        "CONTIGUOUS, 1, true",
        "CONTIGUOUS, 2, false",
        "PLACED, 1, false",
    })
    @DisplayName("A small block costs its pages of address space, and no page table of its own")
    void allocate_aThousandSmall_costNoPageTableEach(Kind kind, int pages, boolean guarded)
            throws Throwable {
        assumeTrue(
                kind != Kind.PLACED && pages == 1 || LinuxProcess.seesFrames(),
                "skipped: frames are hidden from this process");
        AtomicReference<String> printed = new AtomicReference<>();
        PageMoves.unlessMoved(() -> printed.set(run(kind, pages, guarded)));
        long[] numbers =
                Stream.of(printed.get().strip().split(" ")).mapToLong(Long::parseLong).toArray();
        assertThat(numbers[0]).as("bytes of page tables for each").isLessThan(PAGE_BYTES / 2);
        long most = pages + (guarded ? 3 : 1); // with the rest of a range
        assertThat(numbers[1]).as("address space for each").isLessThan(most * PAGE_BYTES);
        assertThat(numbers[2]).as("address space that is left").isLessThan(PAGE_BYTES);
    }

    private static String run(Kind kind, int pages, boolean guarded) throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xms64m", "-Xmx64m", "-XX:+UseSerialGC", "-XX:+AlwaysPreTouch")
                        .run(
                                Thousand.class,
                                kind.name(),
                                Long.toString(pages * PAGE_BYTES),
                                Boolean.toString(guarded));
        assumeTrue(
                kind == Kind.ANYWHERE || !result.output().contains(FRAGMENTED),
                "skipped: free memory is too fragmented for 1,000 such blocks");
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result.output();
    }

    private static final String FRAGMENTED = "none serve: the longest run is of";

    /** Prints what a block costs in page tables and address space, and what is left of it. */
    static final class Thousand {

        private static final int BLOCKS = 1000;

        private Thousand() {}

        static void main(String[] line) throws IOException {
            PhysicalRequest request =
                    request(
                            Kind.valueOf(line[0]),
                            Long.parseLong(line[1]),
                            Boolean.parseBoolean(line[2]));
            PhysicalAllocator physical = PhysicalAllocator.create();
            physical.free(physical.allocate(request));
            List<MemorySegment> blocks = new ArrayList<>(BLOCKS);
            long tables = status("VmPTE");
            long space = status("VmSize");
            for (int i = 0; i < BLOCKS; i++) {
                blocks.add(physical.allocate(request));
            }
            long tablesEach = (status("VmPTE") - tables) / BLOCKS;
            long spaceEach = (status("VmSize") - space) / BLOCKS;
            blocks.forEach(physical::free);
            physical.close();
            long left = (status("VmSize") - space) / BLOCKS;
            IO.println(tablesEach + " " + spaceEach + " " + left);
        }

        private static long status(String name) throws IOException {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith(name + ":")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
            throw new AssertionError(name);
        }
    }

    @Test
    @DisplayName("Neighbours keep contents and addresses while others are allocated and freed")
    void free_anyOfTheNeighbours_leavesTheOthers() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(
                            LinuxProcess.seesFrames(),
                            "skipped: frames are hidden from this process");
                    Random random = new Random(1);
                    List<MemorySegment> blocks = new ArrayList<>();
                    PhysicalAllocator physical = PhysicalAllocator.create();
                    long last;
                    try {
                        for (int step = 0; step < 3000; step++) {
                            if (blocks.size() < 500 && random.nextInt(5) < 3) {
                                allocateOne(physical, random).ifPresent(blocks::add);
                            } else if (!blocks.isEmpty()) {
                                MemorySegment block = blocks.get(random.nextInt(blocks.size()));
                                assertKept(physical, block);
                                blocks.remove(block);
                                physical.free(block);
                            }
                        }
                        blocks.forEach(block -> assertKept(physical, block));
                        assertThat(physical.verify().verdict())
                                .isEqualTo(Verification.Verdict.CONFIRMED);
                        last = blocks.getLast().address();
                    } finally {
                        blocks.forEach(physical::free);
                        physical.close();
                    }
                    assertThat(LinuxProcess.isMapped(last)).isFalse();
                });
    }

    /** Empty where free memory has no such run: one block of eight is to be of one. */
    private static Optional<MemorySegment> allocateOne(PhysicalAllocator physical, Random random) {
        long bytes = (1 + random.nextInt(3)) * PAGE_BYTES;
        Kind kind = Kind.values()[random.nextInt(16) < 14 ? 0 : 1 + random.nextInt(2)];
        PhysicalRequest request = request(kind, bytes, random.nextInt(4) == 0);
        MemorySegment block;
        try {
            block = physical.allocate(request);
        } catch (AllocationException e) {
            if (kind == Kind.ANYWHERE || e.reason() != AllocationException.Reason.FRAGMENTED) {
                throw e;
            }
            return Optional.empty();
        }
        if (kind != Kind.ANYWHERE) {
            assertThat(physical.extents(block)).hasSize(1);
        }
        return Optional.of(block.fill((byte) block.address()));
    }

    private static void assertKept(PhysicalAllocator physical, MemorySegment block) {
        for (long offset = 0; offset < block.byteSize(); offset += PAGE_BYTES) {
            assertThat(block.get(JAVA_BYTE, offset + 7)).isEqualTo((byte) block.address());
            assertThat(physical.addressOf(block, offset).value())
                    .isEqualTo(LinuxProcess.physicalAddress(block.address() + offset));
        }
    }

    @ParameterizedTest(name = "aligned {0}")
    @ValueSource(longs = {8 << 10, 64 << 10, 1 << 20, 2 << 20})
    @DisplayName("A block is aligned as requested")
    void allocate_aligned_isAligned(long alignment) {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                PhysicalRequest request =
                        PhysicalRequest.ofBytes(PAGE_BYTES)
                                .aligned(alignment)
                                .atLeast(Guarantee.RESIDENT)
                                .build();
                blocks.add(physical.allocate(request));
                blocks.add(physical.allocate(request(PAGE_BYTES, false)));
                assertThat(blocks.get(2 * i).address() % alignment).isZero();
            }
            blocks.forEach(physical::free);
        }
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(
            value = PagePolicy.class,
            names = {"AUTO", "BASE"})
    @DisplayName("Contiguous blocks are aligned by both of their addresses")
    void allocate_contiguousAligned_isAlignedTwice(PagePolicy pages) {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
        PhysicalRequest request = PhysicalRequest.ofBytes(0).contiguous().pages(pages).build();
        try (PhysicalAllocator physical = PhysicalAllocator.builder().request(request).build()) {
            for (long alignment : new long[] {64, PAGE_BYTES, 8 << 10, 64 << 10}) {
                List<MemorySegment> blocks = new ArrayList<>();
                for (int i = 0; i < 5; i++) {
                    MemorySegment block = allocateUnlessFragmented(physical, alignment, blocks);
                    assertThat(block.address() % alignment).isZero();
                    assertThat(physical.addressOf(block).value() % alignment).isZero();
                    blocks.add(block);
                }
                blocks.forEach(physical::free);
            }
        }
    }

    private static MemorySegment allocateUnlessFragmented(
            PhysicalAllocator physical, long alignment, List<MemorySegment> others) {
        try {
            return physical.allocate(3000, alignment);
        } catch (AllocationException e) {
            others.forEach(physical::free);
            if (e.reason() != AllocationException.Reason.FRAGMENTED) {
                throw e;
            }
            return abort("skipped: no free memory lies at such an address: " + e.getMessage());
        }
    }
}
