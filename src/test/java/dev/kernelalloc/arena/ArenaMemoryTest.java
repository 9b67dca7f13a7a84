package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;
import dev.kernelalloc.testing.Refusals;

import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Where the memory of an arena comes from, and that it goes back there whatever happens. */
@SuppressWarnings("try") // closing is what is tested
class ArenaMemoryTest {

    private static final int FIRST_CHUNK_BYTES = 2 << 10;

    private static Arena open(KernelAllocator allocator, boolean shared) {
        return shared ? allocator.sharedArena() : allocator.arena();
    }

    // ---- chunks and blocks --------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void smallSegmentsShareABlockAndLargeOnesHaveTheirOwn(boolean shared) {
        try (PoolAllocator pool = PoolAllocator.create()) {
            try (Arena arena = open(pool, shared)) {
                for (int i = 0; i < 10; i++) {
                    arena.allocate(100, 8);
                }
                assertThat(pool.stats().liveBlocks()).isEqualTo(1);
                assertThat(pool.stats().liveBytes()).isEqualTo(FIRST_CHUNK_BYTES);
                arena.allocate(1 << 20, 8);
                arena.allocate(8, 1 << 16);
                assertThat(pool.stats().liveBlocks()).isEqualTo(3);
                assertThat(pool.stats().liveBytes())
                        .isEqualTo(FIRST_CHUNK_BYTES + (1 << 20) + (1 << 16));
            }
            assertThat(pool.stats().liveBlocks()).isZero();
            assertThat(pool.stats().liveBytes()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void manySegmentsTakeFewBlocks(boolean shared) {
        try (PoolAllocator pool = PoolAllocator.create()) {
            for (int size : new int[] {8, 100, 600, 3000, 8000}) {
                try (Arena arena = open(pool, shared)) {
                    int count = (4 << 20) / size;
                    for (int i = 0; i < count; i++) {
                        arena.allocate(size, 8);
                    }
                    assertThat(pool.stats().liveBlocks()).isLessThan(100);
                    assertThat(pool.stats().liveBytes()).isLessThan((4 << 20) * 5 / 4);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void freeRefusesEveryAddressInAnArena(boolean shared) {
        try (PoolAllocator pool = PoolAllocator.create();
                Arena arena = open(pool, shared)) {
            for (int i = 0; i < 5; i++) {
                for (long size : new long[] {0, 24, 100_000}) {
                    MemorySegment segment = arena.allocate(size, 8);
                    MemorySegment address = MemorySegment.ofAddress(segment.address());
                    assertThatIllegalArgumentException().isThrownBy(() -> pool.free(segment));
                    assertThatIllegalArgumentException().isThrownBy(() -> pool.free(address));
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> pool.reallocate(address, 10, 8));
                    segment.fill((byte) 1);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anArenaOutlivesItsAllocatorWithTheMemoryItHas(boolean shared) {
        PoolAllocator pool = PoolAllocator.create();
        Arena arena = open(pool, shared);
        MemorySegment segment = arena.allocateFrom("valid");
        assertThatIllegalStateException()
                .isThrownBy(pool::close)
                .withMessageContaining("1 live blocks");
        assertThatIllegalStateException()
                .isThrownBy(() -> arena.allocate(100_000))
                .withMessageContaining("closed");
        assertThatIllegalStateException()
                .isThrownBy(
                        () -> {
                            while (true) {
                                arena.allocate(100).fill((byte) -1);
                            }
                        });
        assertThat(segment.getString(0)).isEqualTo("valid");
        arena.close();
        assertThat(pool.stats().liveBlocks()).isZero();
        assertThat(pool.stats().capacityBytes()).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void physicalAddressesAreKnownAnywhereInAnArena(boolean shared) throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(
                            LinuxProcess.isThis() && LinuxProcess.seesFrames(),
                            "skipped: frame numbers are hidden, this process lacks CAP_SYS_ADMIN");
                    try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                        List<MemorySegment> segments = new ArrayList<>();
                        try (Arena arena = open(physical, shared)) {
                            for (int i = 0; i < 200; i++) {
                                MemorySegment segment = arena.allocate(1 + i * 10L, 8);
                                segments.add(segment);
                                assertThat(physical.addressOf(segment).value())
                                        .isEqualTo(LinuxProcess.physicalAddress(segment.address()));
                                assertThat(physical.guarantee(segment)).hasSize(2);
                            }
                        }
                        for (MemorySegment segment : segments) {
                            assertThatIllegalStateException()
                                    .isThrownBy(() -> physical.addressOf(segment));
                        }
                    }
                });
    }

    // ---- refusals -----------------------------------------------------------------------------

    /** Two pages are too few for a second chunk, but not for the block that was asked for. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whereAChunkCannotBeHadABlockOfTheExactSizeIsTried(boolean shared) {
        FakeOperatingSystem os = new FakeOperatingSystem();
        os.lockLimit(3 * os.pageBytes());
        PhysicalAllocator physical = PackageAccess.build(PhysicalAllocator.builder(), os);
        try (Arena arena = open(physical, shared)) {
            List<MemorySegment> segments = new ArrayList<>();
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(
                            () -> {
                                while (true) {
                                    MemorySegment segment = arena.allocate(500, 8);
                                    assertThat(ArenaContract.firstOtherThan(segment, (byte) 0))
                                            .isEqualTo(-1);
                                    segment.fill((byte) segments.size());
                                    segments.add(segment);
                                }
                            })
                    .withMessageContaining("500 bytes aligned to 8");
            assertThat(physical.stats().capacityBytes()).isEqualTo(3 * os.pageBytes());
            for (int i = 0; i < segments.size(); i++) {
                assertThat(ArenaContract.firstOtherThan(segments.get(i), (byte) i)).isEqualTo(-1);
            }
            os.lockLimit(Long.MAX_VALUE);
            segments.add(arena.allocate(500, 8));
            segments.add(arena.allocate(50_000, 8));
            ArenaContract.assertDisjoint(segments);
        }
        physical.close();
        os.assertNothingLeaked();
        assertThat(os.lockedBytes()).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void withoutAnyMemoryAnArenaIsOpenedAndWorksOnceThereIsSome(boolean shared) {
        FakeOperatingSystem os = new FakeOperatingSystem();
        PhysicalAllocator physical = PackageAccess.build(PhysicalAllocator.builder(), os);
        os.refuse(Operation.RESERVE);
        try (Arena arena = open(physical, shared)) {
            for (long size : new long[] {0, 8, 100_000}) {
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(() -> arena.allocate(size, 8));
            }
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> arena.allocateFrom("text"));
            os.allow(Operation.RESERVE);
            assertThat(arena.allocateFrom("text").getString(0)).isEqualTo("text");
            assertThat(arena.allocate(0).address()).isNotZero();
        }
        physical.close();
        os.assertNothingLeaked();
    }

    /** Every call of the system, refused once, at every moment of the life of an arena. */
    @TestFactory
    Stream<DynamicTest> aRefusalAtAnyMomentLosesNothing() {
        return Refusals.atEachMoment(Operation.refusable(), 12, ArenaMemoryTest::use);
    }

    private static void use(Operation operation, int nth) {
        for (boolean shared : new boolean[] {false, true}) {
            FakeOperatingSystem os = new FakeOperatingSystem();
            PoolAllocator pool = PackageAccess.build(PoolAllocator.builder(), os);
            PhysicalAllocator physical = PackageAccess.build(PhysicalAllocator.builder(), os);
            os.refuse(operation).onNth(nth);
            for (KernelAllocator allocator : List.of(pool, physical)) {
                try (Arena arena = open(allocator, shared)) {
                    use(arena);
                }
                allocator.trim();
                assertThat(allocator.stats().liveBlocks()).isZero();
                assertThat(allocator.stats().liveBytes()).isZero();
                allocator.close();
            }
            os.assertNothingLeaked();
        }
    }

    private static void use(Arena arena) {
        List<MemorySegment> segments = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            byte mark = (byte) segments.size();
            try {
                MemorySegment segment =
                        switch (i % 5) {
                            case 0 -> arena.allocate(i * 50L, 8);
                            case 1 -> arena.allocate(0);
                            case 2 -> arena.allocateFrom(ValueLayout.JAVA_LONG, new long[i]);
                            case 3 -> arena.allocate(10, 512);
                            default -> arena.allocate(i * 500L, 64);
                        };
                assertThat(ArenaContract.firstOtherThan(segment, (byte) 0)).isEqualTo(-1);
                segment.fill(mark);
                segments.add(segment);
            } catch (AllocationException e) {
                assertThat(e).hasMessageContaining("refused by the test");
            }
        }
        assertThat(segments).hasSizeGreaterThanOrEqualTo(59);
        ArenaContract.assertDisjoint(segments);
        for (int i = 0; i < segments.size(); i++) {
            assertThat(ArenaContract.firstOtherThan(segments.get(i), (byte) i)).isEqualTo(-1);
        }
    }
}
