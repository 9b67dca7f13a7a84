package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.ProcessSettings;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/**
 * Random requests over all ways, with contents, places and frames checked. Most blocks are small,
 * as a program's are; one in sixteen has a request of its own, which takes system calls. Longer
 * with {@code -Dtests.scale}: ten million operations at 1000, or what half an hour allows.
 */
@EnabledOnOs(OS.LINUX)
class PhysicalSoakTest {

    private static final int OPERATIONS = 10_000 * Integer.getInteger("tests.scale", 1);
    private static final Duration LONGEST = Duration.ofMinutes(30);
    private static final int BY_REQUEST_ONE_IN = 16;
    private static final int MOST_LIVE = 200;
    private static final int VERIFY_EVERY = 1_000;

    private record Held(MemorySegment block, byte stamp) {}

    private final Random random = new Random(42);
    private final List<Held> held = new ArrayList<>();
    private final Map<Backing, Integer> obtained = new EnumMap<>(Backing.class);
    private final Map<AllocationException.Reason, Integer> refused =
            new EnumMap<>(AllocationException.Reason.class);

    @Test
    void everythingIsWhereItWasAskedForAndGoesBack() {
        Optional<Backing> huge =
                way(PhysicalRequest.ofBytes(1).pages(PagePolicy.HUGE_ONLY).build());
        soak();
        assertThat(obtained).containsKey(Backing.BASE_PAGES);
        huge.ifPresent(way -> assertThat(obtained).containsKey(way));
    }

    /** What lies in one piece comes from regions of the kernel then, where those can be had. */
    @Test
    void everythingIsAlsoWithoutHugePages() {
        assumeTrue(
                ProcessSettings.forbidHugePages(),
                "skipped: this kernel forbids a process no huge pages");
        try {
            Optional<Backing> row = way(PhysicalRequest.ofBytes(64 << 10).contiguous().build());
            soak();
            assertThat(obtained).containsKey(Backing.BASE_PAGES);
            row.ifPresent(way -> assertThat(obtained).containsKey(way));
        } finally {
            ProcessSettings.allowHugePages();
        }
    }

    /** How that is had here, if it is. */
    private static Optional<Backing> way(PhysicalRequest request) {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block = physical.allocate(request);
            Backing way = physical.provenance(block).backing();
            physical.free(block);
            return Optional.of(way);
        } catch (AllocationException e) {
            return Optional.empty();
        }
    }

    private void soak() {
        long locked = LinuxProcess.lockedBytes();
        long pinned = LinuxProcess.pinnedBytes();
        long mapped = LinuxProcess.bytesKeptFromChildren();
        int done = 0;
        Instant started = Instant.now();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            for (; done < OPERATIONS && !isOver(started, done); done++) {
                try {
                    if (held.size() < MOST_LIVE && random.nextBoolean()) {
                        boolean byRequest = random.nextInt(BY_REQUEST_ONE_IN) == 0;
                        keep(byRequest ? byRequest(physical) : small(physical));
                    } else if (!held.isEmpty()) {
                        endOne(physical);
                    }
                } catch (AllocationException e) {
                    // Luck, limits or rights: said, and nothing lost.
                    refused.merge(e.reason(), 1, Integer::sum);
                }
                if (done % VERIFY_EVERY == 0) {
                    verify(physical);
                }
            }
            assertThat(physical.stats().refusedRequests())
                    .isGreaterThanOrEqualTo(
                            refused.values().stream().mapToInt(Integer::intValue).sum());
            held.forEach(one -> physical.free(one.block));
        }
        assertThat(LinuxProcess.lockedBytes()).isEqualTo(locked);
        assertThat(LinuxProcess.pinnedBytes()).isEqualTo(pinned);
        assertThat(LinuxProcess.bytesKeptFromChildren()).isEqualTo(mapped);
        IO.println(
                "%d of %d operations in %s; by request %s, refused %s"
                        .formatted(
                                done,
                                OPERATIONS,
                                Duration.between(started, Instant.now()),
                                obtained,
                                refused));
    }

    private static boolean isOver(Instant started, int done) {
        return done % VERIFY_EVERY == 0
                && Duration.between(started, Instant.now()).compareTo(LONGEST) > 0;
    }

    private void keep(MemorySegment block) {
        byte stamp = (byte) random.nextInt();
        held.add(new Held(block.fill(stamp), stamp));
    }

    private MemorySegment small(PhysicalAllocator physical) {
        return physical.allocate(
                1 + random.nextInt(1 << random.nextInt(18)), 1L << random.nextInt(13));
    }

    private MemorySegment byRequest(PhysicalAllocator physical) {
        long bytes = 1 + random.nextInt(1 << random.nextInt(22));
        PhysicalRequest.Builder wanted =
                PhysicalRequest.ofBytes(bytes)
                        .aligned(1L << random.nextInt(17))
                        .pages(PagePolicy.values()[random.nextInt(PagePolicy.values().length)]);
        if (random.nextBoolean()) {
            wanted.contiguous().boundary(random.nextBoolean() ? 0 : Long.highestOneBit(bytes) * 2);
        }
        if (random.nextInt(3) == 0) {
            wanted.guarded();
        }
        if (random.nextInt(3) == 0) {
            wanted.atLeast(Guarantee.NEVER_MOVED);
        }
        PhysicalRequest request = wanted.build();
        MemorySegment block = physical.allocate(request);
        obtained.merge(physical.provenance(block).backing(), 1, Integer::sum);
        assertThat(physical.guarantee(block)).containsAll(request.least());
        requirePlace(physical, request, block);
        return block;
    }

    private static void requirePlace(
            PhysicalAllocator physical, PhysicalRequest request, MemorySegment block) {
        if (!request.contiguous()) {
            assertThat(block.address() % request.alignment()).isZero();
            return;
        }
        try {
            List<PhysicalExtent> extents = physical.extents(block);
            assertThat(extents).hasSize(1);
            long start = extents.getFirst().start().value();
            assertThat(start).isEqualTo(LinuxProcess.physicalAddress(block.address()));
            assertThat(start % request.alignment()).isZero();
            if (request.boundary() != 0) {
                assertThat(start / request.boundary())
                        .isEqualTo((start + request.size() - 1) / request.boundary());
            }
        } catch (PhysicalAddressException e) {
            assertThat(LinuxProcess.seesFrames()).as(e.getMessage()).isFalse();
        }
    }

    private void endOne(PhysicalAllocator physical) {
        Held one = held.get(random.nextInt(held.size()));
        long step = Math.max(1, one.block.byteSize() / 7);
        for (long offset = 0; offset < one.block.byteSize(); offset += step) {
            assertThat(one.block.get(ValueLayout.JAVA_BYTE, offset)).isEqualTo(one.stamp);
        }
        if (random.nextInt(5) == 0) {
            MemorySegment grown = physical.reallocate(one.block, 1 + random.nextInt(100_000), 8);
            assertThat(grown.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo(one.stamp);
            held.remove(one);
            keep(grown);
        } else {
            physical.free(one.block);
            held.remove(one);
        }
    }

    /** A page that is merely locked may move; one that is pinned would be an exception. */
    private static void verify(PhysicalAllocator physical) {
        Verification found = physical.verify();
        assertThat(found.verdict() == Verification.Verdict.NOT_VERIFIABLE)
                .isEqualTo(!LinuxProcess.seesFrames() && found.unverifiable().isPresent());
    }
}
