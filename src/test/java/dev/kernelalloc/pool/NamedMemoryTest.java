package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Name;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Which memory of an allocator has its tag as a name. */
class NamedMemoryTest {

    private static final long HUGE_PAGE_BYTES = 2L << 20;
    private static final long RANGE_BYTES = 64L << 20;

    private final FakeOperatingSystem os = new FakeOperatingSystem();

    @BeforeEach
    void takeNames() {
        os.nameable();
    }

    @Test
    void theFirstRangeOfAPoolIsNamedFromItsFirstPageUntilItGoes() {
        try (PoolAllocator pool = PackageAccess.build(PoolAllocator.builder().tag("orders"), os)) {
            MemorySegment block = pool.allocate(64, 8);
            Name name = os.names().getFirst();
            assertThat(os.names()).hasSize(1);
            assertThat(name.text()).isEqualTo("kernel-alloc:orders");
            assertThat(block.address()).isBetween(name.address(), name.address() + name.bytes());
            assertThat((name.address() + name.bytes()) % HUGE_PAGE_BYTES).isZero();
            assertThat(RANGE_BYTES - name.bytes()).isLessThan(HUGE_PAGE_BYTES);
            pool.free(block);
            pool.trim();
            assertThat(os.names()).isEmpty();
        }
    }

    /** A huge page never crosses the border of a mapping: there must be no border inside one. */
    @Test
    void furtherRangesAreNamedInWholeHugePages() {
        try (PoolAllocator pool = PackageAccess.build(PoolAllocator.builder(), os)) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                blocks.add(pool.allocate(15L << 20, 8)); // four in a range
            }
            assertThat(os.names()).hasSize(2);
            assertThat(os.names().stream().filter(NamedMemoryTest::isOfHugePages)).isNotEmpty();
            blocks.forEach(pool::free);
        }
        assertThat(os.names()).isEmpty();
    }

    private static boolean isOfHugePages(Name name) {
        return name.address() % HUGE_PAGE_BYTES == 0 && name.bytes() % HUGE_PAGE_BYTES == 0;
    }

    @Test
    void aBlockThatMayHaveToMoveAsOneMappingHasNoName() {
        try (PoolAllocator pool = PackageAccess.build(PoolAllocator.builder(), os)) {
            MemorySegment block = pool.allocate(100L << 20, 8);
            assertThat(os.names()).isEmpty();
            pool.free(block);
        }
    }

    @Test
    void namesUseNoMoreThanAnEighthOfTheMappings() {
        os.maxMappings(16 * 3);
        try (PoolAllocator pool = PackageAccess.build(PoolAllocator.builder(), os);
                PoolAllocator other = PackageAccess.build(PoolAllocator.builder(), os)) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                blocks.add(pool.allocate(15L << 20, 8));
            }
            MemorySegment last = other.allocate(64, 8);
            assertThat(os.names()).hasSizeLessThanOrEqualTo(3);
            blocks.forEach(pool::free);
            pool.trim();
            assertThat(os.names()).isEmpty();
            other.free(last);
        }
    }

    @Test
    void pagesOfPhysicalMemoryAreNamedSlabBySlab() {
        try (PhysicalAllocator physical =
                PackageAccess.build(PhysicalAllocator.builder().tag("rings"), os)) {
            MemorySegment small = physical.allocate(64, 8);
            MemorySegment huge =
                    physical.allocate(
                            PhysicalRequest.builder()
                                    .size(HUGE_PAGE_BYTES)
                                    .pages(PagePolicy.AUTO)
                                    .build());
            assertThat(os.names()).hasSize(2).allMatch(one -> one.text().endsWith(":rings"));
            assertThat(os.names())
                    .anyMatch(one -> one.address() == huge.address())
                    .anyMatch(
                            one ->
                                    one.address() <= small.address()
                                            && small.address() < one.address() + one.bytes());
            physical.free(huge);
            physical.free(small);
        }
    }

    /** Where the kernel was built with names, they are in its map, and add no bytes. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void theKernelShowsTheTags() throws IOException {
        try (PoolAllocator pool = PoolAllocator.builder().tag("a pool").build();
                PhysicalAllocator physical = PhysicalAllocator.builder().tag("pages").build()) {
            MemorySegment pooled = pool.allocate(64, 8);
            MemorySegment paged = physical.allocate(64, 8);
            pooled.fill((byte) 1);
            paged.fill((byte) 1);
            Map<String, Long> resident = residentByName();
            pool.free(pooled);
            physical.free(paged);
            boolean named = resident.keySet().stream().anyMatch(name -> name.contains("alloc:"));
            assumeTrue(named, "skipped: this kernel has no names (CONFIG_ANON_VMA_NAME)");
            assertThat(resident.get("[anon:kernel-alloc:a pool]")).isPositive();
            assertThat(resident.get("[anon:kernel-alloc:pages]"))
                    .isEqualTo(physical.stats().reservedBytes());
        }
        assertThat(residentByName().keySet()).noneMatch(name -> name.endsWith(":a pool]"));
    }

    private static Map<String, Long> residentByName() throws IOException {
        Map<String, Long> resident = new TreeMap<>();
        String name = "";
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                int start = line.indexOf('[');
                name = start < 0 ? "" : line.substring(start);
            } else if (line.startsWith("Rss:")) {
                resident.merge(name, Long.parseLong(line.split("\\s+")[1]) * 1024, Long::sum);
            }
        }
        return resident;
    }
}
