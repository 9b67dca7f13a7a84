package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.host.FragmentedMemory;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.Mapping;
import dev.kernelalloc.testing.host.Merging;

import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** What the kernel moves when it is made to: a locked page is not a pinned one. */
@HostTest
class MovedPagesTest {

    private static final long FRAGMENTED_BYTES = 256L << 20;
    private static final int LOCKED_PAGES = 2048;
    private static final int HIDDEN_PAGES = 32;
    private static final int COMPACTIONS = 3;

    /** Between each two hidden pages lie many locked ones, so that all lie in the same places. */
    @Test
    void compactionMovesLockedPagesAndNoHiddenOnes() {
        List<SecretMemory> secrets = new ArrayList<>();
        try (FragmentedMemory _ = FragmentedMemory.of(FRAGMENTED_BYTES);
                PhysicalAllocator physical = PhysicalAllocator.create()) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < LOCKED_PAGES; i++) {
                blocks.add(physical.allocate(1, 1));
                if (i % (LOCKED_PAGES / HIDDEN_PAGES) == 0) {
                    secrets.add(SecretMemory.builder().require(Guarantee.PINNED).allocate(1));
                }
            }
            List<Long> hidden = places(secrets);

            for (int i = 0; i < COMPACTIONS; i++) {
                FragmentedMemory.compact();
            }

            long moved = blocks.stream().filter(block -> hasMoved(physical, block)).count();
            System.out.println(
                    "%d compactions moved %d of %d locked pages"
                            .formatted(COMPACTIONS, moved, LOCKED_PAGES));
            assertThat(moved).isPositive();
            assertThat(places(secrets)).isEqualTo(hidden);
            blocks.forEach(physical::free);
        } finally {
            secrets.forEach(SecretMemory::close);
        }
    }

    private static boolean hasMoved(PhysicalAllocator physical, MemorySegment block) {
        return physical.addressOf(block).value() != LinuxProcess.physicalAddress(block.address());
    }

    private static List<Long> places(List<SecretMemory> secrets) {
        return secrets.stream()
                .map(secret -> LinuxProcess.physicalAddress(secret.readOnly().address()))
                .toList();
    }

    @Test
    void equalPagesAreMergedExceptOurs() throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            Merging.start(guardian);
            ChildJvm.Result result =
                    ChildJvm.onModulePath().withNativeAccess().run(HoldEqualPages.class);
            assertThat(result.exitCode()).as(result.output()).isZero();
            assertThat(result.output())
                    .contains("merged: 64 of 64 pages of another mapping, 0 of 64 blocks");
        }
        assertThat(Merging.isOn()).isFalse();
    }

    /** In a process all of whose mappings are to be merged, those to come included. */
    static final class HoldEqualPages {
        private HoldEqualPages() {}

        static void main() {
            Merging.ofThisProcess();
            try (Mapping other = Mapping.of(64 * Mapping.PAGE_BYTES);
                    PhysicalAllocator physical = PhysicalAllocator.create()) {
                other.segment().fill((byte) 0x5a);
                List<MemorySegment> blocks =
                        Stream.generate(() -> physical.allocate(Mapping.PAGE_BYTES, 1))
                                .limit(64)
                                .toList();
                blocks.forEach(block -> block.fill((byte) 0x5a));

                Await.until("equal pages are merged", () -> shared(other) == 64);
                long seen = Merging.fullScans();
                Await.until("all was scanned twice more", () -> Merging.fullScans() >= seen + 2);

                long moved = blocks.stream().filter(block -> hasMoved(physical, block)).count();
                IO.println(
                        "merged: %d of 64 pages of another mapping, %d of 64 blocks"
                                .formatted(shared(other), moved));
                blocks.forEach(physical::free);
            }
        }

        /** Pages that have the frame of the first one. */
        private static long shared(Mapping mapping) {
            long first = LinuxProcess.physicalAddress(mapping.address());
            return LongStream.range(0, mapping.bytes() / Mapping.PAGE_BYTES)
                    .map(page -> mapping.address() + page * Mapping.PAGE_BYTES)
                    .filter(page -> LinuxProcess.physicalAddress(page) == first)
                    .count();
        }
    }
}
