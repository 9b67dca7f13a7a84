package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.host.FreeMemory;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;
import dev.kernelalloc.testing.host.Mapping;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;

/** Free memory as on a machine that has run for weeks. */
@HostTest
class FragmentedHugePagesTest {

    private static final long SINGLE_BYTES = 320L << 20;
    private static final long MOST_SINGLE_BYTES = 768L << 20;
    private static final long LEAST_LONGER_BYTES = 2L << 30;
    private static final long BLOCK_BYTES = 2 * HugePages.BYTES;

    @Test
    @DisplayName("Longer runs of free memory are found behind many of one huge page")
    void allocate_behindManySingleHugePages_findsALongerRun() {
        try (Mapping held = Mapping.ofTransparentHugePages(2 * SINGLE_BYTES);
                PhysicalAllocator physical = PhysicalAllocator.create()) {
            long first = -held.address() & HugePages.BYTES - 1;
            for (long page = first;
                    page + HugePages.BYTES <= held.bytes();
                    page += 2 * HugePages.BYTES) {
                held.advise(page, HugePages.BYTES, Mapping.DONTNEED);
            }
            FreeMemory free = FreeMemory.now();
            boolean served =
                    free.singleBytes() <= MOST_SINGLE_BYTES
                            && free.longerBytes() >= LEAST_LONGER_BYTES;
            String reason = "skipped: the kernel may have no longer run: " + free;
            if (!served) {
                System.out.println(reason);
            }
            assumeTrue(served, reason);
            MemorySegment block =
                    physical.allocate(
                            PhysicalRequest.ofBytes(BLOCK_BYTES)
                                    .contiguous()
                                    .pages(PagePolicy.HUGE_ONLY)
                                    .build());
            assertThat(physical.provenance(block).backing())
                    .as(free.toString())
                    .isEqualTo(Backing.TRANSPARENT_HUGE);
            long start = LinuxProcess.physicalAddress(block.address());
            for (long at = 0; at < BLOCK_BYTES; at += Mapping.PAGE_BYTES) {
                assertThat(LinuxProcess.physicalAddress(block.address() + at) - start)
                        .isEqualTo(at);
            }
            physical.free(block);
        }
    }
}
