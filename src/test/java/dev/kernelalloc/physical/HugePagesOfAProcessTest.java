package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;
import dev.kernelalloc.testing.ProcessSettings;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Huge pages against a process: the kernel makes them of its memory, or forbids them to it. */
@EnabledOnOs(OS.LINUX)
class HugePagesOfAProcessTest {

    private static final long PAGE_BYTES = 4096;

    @BeforeEach
    void framesAreVisible() {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frame numbers are hidden");
    }

    private static ChildJvm.Result run(Class<?> main, String... arguments) throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .with("--enable-native-access=dev.kernelalloc")
                        .run(main, arguments);
        assumeTrue(result.exitCode() != 77, "skipped: " + result.output());
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result;
    }

    @Test
    void withoutHugePagesContiguousBlocksComeFromKernelRegionsOrRunsOfBasePages() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    ChildJvm.Result result = run(WithoutHugePages.class);
                    assertThat(result.output())
                            .contains(
                                    "1048576 by a kernel region of io_uring, contiguous true,"
                                            + " verify CONFIRMED")
                            .contains(
                                    "5000 by a kernel region of io_uring, contiguous true, verify"
                                            + " CONFIRMED")
                            .contains("8192 by base pages, contiguous true, verify CONFIRMED")
                            .contains("huge: FRAGMENTED");
                });
    }

    static final class WithoutHugePages {

        private WithoutHugePages() {}

        static void main() {
            if (!ProcessSettings.forbidHugePages() || LinuxProcess.freePoolPages() > 0) {
                IO.println("huge pages are at hand whatever this process does");
                System.exit(77);
            }
            try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                for (PhysicalRequest.Builder request :
                        List.of(
                                PhysicalRequest.ofBytes(1 << 20).contiguous(),
                                PhysicalRequest.ofBytes(5000)
                                        .contiguous()
                                        .atLeast(Guarantee.NEVER_MOVED),
                                PhysicalRequest.ofBytes(8192)
                                        .contiguous()
                                        .pages(PagePolicy.BASE))) {
                    attempt(physical, request.build());
                }
                physical.allocate(PhysicalRequest.ofBytes(1).pages(PagePolicy.HUGE_ONLY).build());
            } catch (AllocationException e) {
                boolean ringless = e.getMessage().contains("making an io_uring");
                IO.println("huge: " + e.reason() + ", " + e.getMessage());
                System.exit(ringless ? 77 : 0);
            }
        }

        private static void attempt(PhysicalAllocator physical, PhysicalRequest request) {
            MemorySegment block = physical.allocate(request).fill((byte) 1);
            long start = LinuxProcess.physicalAddress(block.address());
            boolean contiguous = true;
            for (long offset = 0; offset < block.byteSize(); offset += PAGE_BYTES) {
                contiguous &=
                        LinuxProcess.physicalAddress(block.address() + offset) == start + offset;
            }
            PhysicalExtent extent = physical.extents(block).getFirst();
            contiguous &= extent.start().value() == start && extent.bytes() == block.byteSize();
            IO.println(
                    "%d by %s, contiguous %s, verify %s"
                            .formatted(
                                    block.byteSize(),
                                    physical.provenance(block).backing(),
                                    contiguous,
                                    physical.verify(block).verdict()));
            physical.free(block);
        }
    }

    @ParameterizedTest
    @CsvSource({"false, DRIFTED", "true, CONFIRMED"})
    void collapsedPagesAreSeenToMoveUnlessTheyArePinned(boolean pinned, String verdict)
            throws Exception {
        ChildJvm.Result result = run(Collapse.class, String.valueOf(pinned));
        assertThat(result.output()).contains("verdict: " + verdict);
        if (!pinned) {
            assertThat(result.output())
                    .containsPattern("drifts: [1-9]")
                    .contains("agree with a fresh page map: true");
        }
    }

    static final class Collapse {

        private static final int MADV_HUGEPAGE = 14;
        private static final int MADV_COLLAPSE = 25;
        private static final long HUGE_BYTES = 2 << 20;

        private Collapse() {}

        @SuppressWarnings("restricted")
        static void main(String[] arguments) throws Throwable {
            boolean pinned = Boolean.parseBoolean(arguments[0]);
            Linker linker = Linker.nativeLinker();
            var madvise =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("madvise"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_INT));
            PhysicalAllocator physical = PhysicalAllocator.create();
            PhysicalRequest.Builder request =
                    PhysicalRequest.ofBytes(HUGE_BYTES).pages(PagePolicy.BASE);
            if (pinned) {
                request.atLeast(Guarantee.NEVER_MOVED);
            }
            MemorySegment block;
            try {
                block = physical.allocate(request.build());
            } catch (AllocationException e) {
                IO.println(e.getMessage());
                System.exit(77);
                return;
            }
            int advised = (int) madvise.invokeExact(block.address(), HUGE_BYTES, MADV_HUGEPAGE);
            int collapsed = (int) madvise.invokeExact(block.address(), HUGE_BYTES, MADV_COLLAPSE);
            IO.println("advised " + advised + ", collapsed " + collapsed);
            if (!pinned && collapsed != 0) {
                IO.println("the kernel does not collapse pages now");
                System.exit(77);
            }
            var found = physical.verify();
            IO.println("verdict: " + found.verdict());
            IO.println("drifts: " + found.drifts().size());
            boolean agree = true;
            for (long offset = 0; offset < HUGE_BYTES; offset += PAGE_BYTES) {
                agree &=
                        physical.addressOf(block, offset).value()
                                == LinuxProcess.physicalAddress(block.address() + offset);
            }
            IO.println("agree with a fresh page map: " + agree);
        }
    }
}
