package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Control groups that limit pages of the pool, as Kubernetes makes them. */
@HostTest
class HugePoolOfAGroupTest {

    private static final int NO_CONTROLLER = 77;

    /** More than a block needs, and fewer than are looked through for one. */
    private static final int PAGES_OF_THE_GROUP = 3;

    @ParameterizedTest
    @CsvSource({"1, limit_in_bytes", "1, rsvd.limit_in_bytes", "2, max", "2, rsvd.max"})
    @DisplayName(
            "A contiguous block that fits into the limit is given, and one that does not is"
                    + " refused")
    void group_limitedPool_givesWhatFits(int version, String file) throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            HugePages pool = HugePages.reserve(guardian, 16);
            assumeTrue(
                    pool.granted() > PAGES_OF_THE_GROUP,
                    "skipped: the kernel grants no more pages");
            ChildJvm.Result result =
                    ChildJvm.onModulePath()
                            .under(
                                    "unshare",
                                    "-m",
                                    "--propagation",
                                    "private",
                                    program(),
                                    "" + version,
                                    "hugetlb.2MB." + file,
                                    "" + PAGES_OF_THE_GROUP * HugePages.BYTES)
                            .withNativeAccess()
                            .run(TakeFromThePool.class);
            assumeTrue(
                    result.exitCode() != NO_CONTROLLER,
                    "skipped: no hugetlb controller of this version: " + result.output());
            assertThat(result.exitCode()).as(result.output()).isZero();
            assertThat(result.output())
                    .contains(
                            "1 from the pool of 2 MiB pages",
                            "2 from the pool of 2 MiB pages",
                            "3 from the pool of 2 MiB pages",
                            "4 from transparent huge pages")
                    .containsPattern("the pool of 2 MiB pages: .*raise .*hugetlb.2MB." + file);
        }
    }

    private static String program() {
        return Path.of(System.getProperty("project.basedir"), "src/test/sh/in-hugetlb-group")
                .toString();
    }

    static final class TakeFromThePool {

        /** In a window, so that more than one page is looked at. */
        private static final PhysicalRequest ONE_PAGE =
                PhysicalRequest.ofBytes(HugePages.BYTES)
                        .contiguous()
                        .within(0, 1L << 50)
                        .pages(PagePolicy.HUGE_ONLY)
                        .build();

        private TakeFromThePool() {}

        static void main() {
            List<MemorySegment> blocks = new ArrayList<>();
            try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                for (int i = 1; i <= PAGES_OF_THE_GROUP + 1; i++) {
                    MemorySegment block = physical.allocate(ONE_PAGE).fill((byte) i);
                    blocks.add(block);
                    IO.println(i + " from " + physical.provenance(block));
                }
                blocks.forEach(physical::free);
            }
        }
    }
}
