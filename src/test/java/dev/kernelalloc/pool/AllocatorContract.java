package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;

/** What every {@link KernelAllocator} promises. */
@SuppressWarnings("try") // closing is what is tested
public abstract class AllocatorContract {

    private KernelAllocator allocator;
    private AllocatorStats before;

    /** The allocator to be tested; the same one every time when it belongs to the process. */
    protected abstract KernelAllocator make();

    /** Whether {@link #make} gives an allocator that can be closed. */
    protected boolean isClosable() {
        return true;
    }

    /** Whether of two threads that free a raw block in the same instant one is refused. */
    protected boolean refusesSimultaneousFrees() {
        return false;
    }

    /** Waits until earlier tests have left what these need. */
    protected void awaitRoom() {}

    @BeforeEach
    void makeAllocator() {
        awaitRoom();
        allocator = make();
        before = allocator.stats();
    }

    @AfterEach
    void everythingIsFreed() {
        AllocatorStats after = allocator.stats();
        assertThat(after.liveBlocks()).isEqualTo(before.liveBlocks());
        assertThat(after.liveBytes()).isEqualTo(before.liveBytes());
        assertThat(accounted(after)).isEqualTo(after.capacityBytes());
        if (isClosable()) {
            assertThatNoException().isThrownBy(allocator::close);
        }
    }

    private static long accounted(AllocatorStats stats) {
        return stats.liveBytes()
                + stats.cachedBytes()
                + stats.remoteBytes()
                + stats.freeBytes()
                + stats.quarantinedBytes();
    }

    // ---- raw blocks ---------------------------------------------------------------------------

    @Test
    void aBlockHasExactlyTheRequestedSizeAndAtLeastTheRequestedAlignment() {
        for (long alignment = 1; alignment <= 1 << 20; alignment *= 2) {
            for (long size : new long[] {1, 7, 8, 24, 4096, 10_000}) {
                MemorySegment block = allocator.allocate(size, alignment);
                assertThat(block.byteSize()).isEqualTo(size);
                assertThat(block.address() % alignment).isZero();
                assertThat(block.scope()).isEqualTo(Arena.global().scope());
                block.fill((byte) -1);
                allocator.free(block);
            }
        }
    }

    @Test
    void blocksOfSizeZeroAreEmptyAndDistinct() {
        List<MemorySegment> blocks =
                LongStream.range(0, 100).mapToObj(_ -> allocator.allocate(0, 1)).toList();
        assertThat(blocks).allMatch(block -> block.byteSize() == 0 && block.address() != 0);
        assertThat(blocks).extracting(MemorySegment::address).doesNotHaveDuplicates();
        blocks.forEach(allocator::free);
    }

    @Test
    void zeroedBlocksAreZeroAlsoWhereABlockWasWrittenBefore() {
        for (long alignment : new long[] {8, 16, 64, 4096}) {
            for (int i = 0; i < 50; i++) {
                MemorySegment dirty = allocator.allocate(1000, alignment);
                dirty.fill((byte) -1);
                allocator.free(dirty);
                MemorySegment block = allocator.allocateZeroed(1000, alignment);
                assertThat(block.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
                allocator.free(block);
            }
        }
    }

    @Test
    void tryAllocateGivesABlock() {
        Optional<MemorySegment> block = allocator.tryAllocate(100, 64);
        assertThat(block).isPresent();
        assertThat(block.get().byteSize()).isEqualTo(100);
        allocator.free(block.get());
    }

    @Test
    void itIsASegmentAllocator() {
        MemorySegment text = allocator.allocateFrom("native");
        assertThat(text.getString(0)).isEqualTo("native");
        allocator.free(text);
        MemorySegment numbers = allocator.allocateFrom(ValueLayout.JAVA_INT, 1, 2, 3);
        assertThat(numbers.toArray(ValueLayout.JAVA_INT)).containsExactly(1, 2, 3);
        allocator.free(numbers);
    }

    @Test
    void reallocateKeepsContentsAndHonoursAlignment() {
        MemorySegment block = allocator.allocate(10, 1);
        block.copyFrom(MemorySegment.ofArray("0123456789".getBytes()));
        long[][] sizesAndAlignments = {{5000, 8}, {20_000, 4096}, {20, 64}, {10, 1}, {4096, 16}};
        for (long[] request : sizesAndAlignments) {
            block = allocator.reallocate(block, request[0], request[1]);
            assertThat(block.byteSize()).isEqualTo(request[0]);
            assertThat(block.address() % request[1]).isZero();
            assertThat(block.asSlice(0, 10).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo("0123456789".getBytes());
            assertThat(allocator.stats().liveBlocks()).isEqualTo(before.liveBlocks() + 1);
        }
        allocator.free(block);
    }

    @Test
    void aRefusedReallocateLeavesTheBlockAsItWas() {
        MemorySegment block = allocator.allocateFrom("kept");
        for (long alignment : new long[] {1, 4096}) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> allocator.reallocate(block, Long.MAX_VALUE / 4, alignment));
        }
        assertThat(block.getString(0)).isEqualTo("kept");
        allocator.free(block);
    }

    // ---- bad input ----------------------------------------------------------------------------

    @Test
    void badSizesAndAlignmentsAreRefusedWithTheirValues() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> allocator.allocate(-5, 8))
                .withMessageContaining("-5");
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.allocateZeroed(-5, 8));
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.tryAllocate(-5, 8));
        for (long alignment : new long[] {0, -8, 3, 48, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> allocator.allocate(8, alignment))
                    .withMessageContaining(String.valueOf(alignment));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> allocator.allocateZeroed(8, alignment));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> allocator.tryAllocate(8, alignment));
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> allocator.allocate(Long.MAX_VALUE, 8))
                .withMessageContaining(String.valueOf(Long.MAX_VALUE));
    }

    @Test
    void sizesThatNoMachineHasAreRefusedAndTheNextCallWorks() {
        MemorySegment small = allocator.allocate(16, 8);
        for (long size :
                new long[] {
                    Long.MAX_VALUE - 8,
                    Long.MAX_VALUE - 5000,
                    Long.MAX_VALUE / 2,
                    1L << 62,
                    1L << 48
                }) {
            for (long alignment : new long[] {1, 8}) {
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(() -> allocator.allocate(size, alignment))
                        .withMessageContaining(String.valueOf(size))
                        .extracting(AllocationException::reason)
                        .isIn( // what may be locked is looked at first
                                AllocationException.Reason.OUT_OF_MEMORY,
                                AllocationException.Reason.LOCK_LIMIT);
                assertThat(allocator.tryAllocate(size, alignment)).isEmpty();
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(() -> allocator.allocateZeroed(size, alignment));
            }
        }
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocator.allocate(1, 1L << 61));
        allocator.free(small);
        allocator.free(allocator.allocate(16, 8));
    }

    @Test
    void freeRefusesWhatIsNoLiveRawBlockAndChangesNothing() {
        MemorySegment block = allocator.allocateFrom("still here");
        MemorySegment notOurs = Arena.ofAuto().allocate(16);
        MemorySegment unknown = MemorySegment.ofAddress(notOurs.address());
        try (Arena arena = allocator.arena()) {
            MemorySegment ofArena = arena.allocate(16);
            MemorySegment heap = MemorySegment.ofArray(new byte[16]);
            MemorySegment arenaAddress = MemorySegment.ofAddress(ofArena.address());
            MemorySegment interior = block.asSlice(1);

            refusesToFree(heap, "Java heap");
            refusesToFree(notOurs, "box or an arena");
            refusesToFree(ofArena, "box or an arena");
            refusesToFree(arenaAddress, "a box or an arena, whose close frees it");
            refusesToFree(unknown, "not the start of a live");
            refusesToFree(interior, "1 bytes inside the block at");
            refusesToFree(MemorySegment.NULL, "not the start of a live");
        }
        assertThat(block.getString(0)).isEqualTo("still here");
        allocator.free(block);
        refusesToFree(block, "freed before");
    }

    @Test
    void aBlockIsKnownByItsAddressWhateverTheSizeOfTheSegment() {
        MemorySegment block = allocator.allocate(100, 8);
        allocator.free(MemorySegment.ofAddress(block.address()));
        MemorySegment other = allocator.allocate(100, 8);
        allocator.free(other.asSlice(0, 10));
    }

    @Test
    void reallocateRefusesWhatFreeRefuses() {
        MemorySegment block = allocator.allocate(100, 8);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> allocator.reallocate(block.asSlice(8), 10, 1));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> allocator.reallocate(MemorySegment.ofArray(new byte[1]), 10, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.reallocate(block, -1, 1));
        allocator.free(block);
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.reallocate(block, 10, 1));
    }

    @Test
    void nothingAcceptsNull() {
        assertThatExceptionOfType(NullPointerException.class)
                .isThrownBy(() -> allocator.free(null));
        assertThatExceptionOfType(NullPointerException.class)
                .isThrownBy(() -> allocator.reallocate(null, 1, 1));
    }

    // ---- arenas -------------------------------------------------------------------------------

    @Test
    void anArenaGivesZeroedBlocksThatDieWithIt() {
        for (Arena arena : List.of(allocator.arena(), allocator.sharedArena())) {
            List<MemorySegment> segments = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                MemorySegment segment = arena.allocate(i, 64);
                assertThat(segment.byteSize()).isEqualTo(i);
                assertThat(segment.address() % 64).isZero();
                assertThat(segment.mismatch(MemorySegment.ofArray(new byte[i]))).isEqualTo(-1);
                segment.fill((byte) -1);
                segments.add(segment);
            }
            assertThat(segments).extracting(MemorySegment::address).doesNotHaveDuplicates();
            assertThat(arena.scope().isAlive()).isTrue();
            arena.close();
            assertThat(arena.scope().isAlive()).isFalse();
            MemorySegment segment = segments.getLast();
            assertThatIllegalStateException()
                    .isThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0));
            assertThatIllegalStateException().isThrownBy(() -> arena.allocate(1));
            assertThatIllegalStateException().isThrownBy(arena::close);
        }
    }

    @Test
    void anArenaRefusesBadArguments() {
        try (Arena arena = allocator.arena()) {
            assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(-1, 1));
            assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(1, 3));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> arena.allocate(Long.MAX_VALUE, 8));
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> arena.allocate(Long.MAX_VALUE / 2, 8));
        }
    }

    @Test
    void aConfinedArenaBelongsToItsThread() throws Exception {
        try (Arena arena = allocator.arena();
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            MemorySegment segment = arena.allocate(8);
            List<Callable<Object>> trespasses =
                    List.of(
                            () -> arena.allocate(8),
                            () -> segment.get(ValueLayout.JAVA_BYTE, 0),
                            () -> {
                                arena.close();
                                return "closed";
                            });
            for (Future<Object> trespass : other.invokeAll(trespasses)) {
                assertThat(trespass)
                        .failsWithin(java.time.Duration.ofMinutes(5))
                        .withThrowableThat()
                        .withCauseInstanceOf(WrongThreadException.class);
            }
        }
    }

    @Test
    void aSharedArenaServesAllThreads() throws Exception {
        try (Arena arena = allocator.sharedArena();
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            Callable<MemorySegment> task =
                    () -> {
                        MemorySegment segment = arena.allocate(64, 8);
                        segment.fill((byte) 1);
                        return segment;
                    };
            List<Long> addresses = new ArrayList<>();
            for (Future<MemorySegment> segment :
                    threads.invokeAll(java.util.Collections.nCopies(100, task))) {
                addresses.add(segment.get().address());
            }
            assertThat(addresses).doesNotHaveDuplicates();
        }
    }

    // ---- threads ------------------------------------------------------------------------------

    @Test
    void blocksOfManyThreadsNeverOverlapAndAreFreedByAnyOfThem() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            Callable<List<MemorySegment>> allocate =
                    () -> {
                        return LongStream.range(0, 200)
                                .mapToObj(
                                        _ -> {
                                            MemorySegment block = allocator.allocate(64, 8);
                                            block.fill((byte) (block.address() >>> 4));
                                            return block;
                                        })
                                .toList();
                    };
            List<MemorySegment> all = new ArrayList<>();
            for (Future<List<MemorySegment>> blocks :
                    threads.invokeAll(java.util.Collections.nCopies(8, allocate))) {
                all.addAll(blocks.get());
            }
            for (MemorySegment block : all) {
                for (byte found : block.toArray(ValueLayout.JAVA_BYTE)) {
                    assertThat(found).isEqualTo((byte) (block.address() >>> 4));
                }
            }
            int freed = 0;
            List<Callable<Integer>> freeing = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                List<MemorySegment> part =
                        all.subList(i * all.size() / 4, (i + 1) * all.size() / 4);
                freeing.add(() -> freeAll(refusesSimultaneousFrees() ? all : part));
            }
            for (Future<Integer> some : threads.invokeAll(freeing)) {
                freed += some.get();
            }
            assertThat(freed).isEqualTo(all.size());
            assertThat(freeAll(all)).isZero();
        }
    }

    /** Those that are not refused. */
    private int freeAll(List<MemorySegment> blocks) {
        int freed = 0;
        for (MemorySegment block : blocks) {
            try {
                allocator.free(block);
                freed++;
            } catch (IllegalArgumentException _) {
                // freed before, maybe by another thread
            }
        }
        return freed;
    }

    @Test
    void aCloseThatReportsNothingLeavesNothing() throws Exception {
        assumeTrue(isClosable(), "skipped: this allocator belongs to the process");
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            for (int i = 0; i < 500; i++) {
                KernelAllocator raced = make();
                MemorySegment block = i % 2 == 0 ? raced.allocate(16, 8) : null;
                Future<MemorySegment> racing =
                        threads.submit(
                                () ->
                                        block == null
                                                ? raced.allocate(16, 8)
                                                : raced.reallocate(block, 200_000, 8));
                Future<Boolean> closing =
                        threads.submit(
                                () -> {
                                    try {
                                        raced.close();
                                        return true;
                                    } catch (IllegalStateException e) {
                                        return false;
                                    }
                                });
                MemorySegment alive = block;
                try {
                    alive = racing.get();
                } catch (ExecutionException e) {
                    assertThat(e).hasCauseInstanceOf(IllegalStateException.class);
                }
                if (closing.get()) {
                    assertThat(alive).isNull();
                } else if (alive != null) { // else the block counted by close was refused after all
                    raced.free(alive);
                }
                assertThat(raced.stats().liveBlocks()).isZero();
            }
        }
    }

    // ---- the whole ----------------------------------------------------------------------------

    @Test
    void statisticsCountWhatIsAlive() {
        MemorySegment first = allocator.allocate(100, 8);
        MemorySegment second = allocator.allocate(50, 8);
        allocator.free(first);
        AllocatorStats now = allocator.stats();
        assertThat(now.liveBlocks() - before.liveBlocks()).isEqualTo(1);
        assertThat(now.liveBytes() - before.liveBytes()).isGreaterThanOrEqualTo(50);
        assertThat(now.liveBytes() - before.liveBytes())
                .isGreaterThanOrEqualTo(allocator.usableSize(second));
        assertThat(accounted(now)).isEqualTo(now.capacityBytes());
        allocator.free(second);
        allocator.trim();
    }

    @Test
    @DisplayName("A stored address leads back to its raw block, and to nothing else")
    void blockAt_storedAddress_returnsTheLiveRawBlock() {
        MemorySegment block = allocator.allocate(50, 16);
        block.set(ValueLayout.JAVA_INT, 0, 0x12345678);
        MemorySegment found = allocator.blockAt(block.address());
        assertThat(found.address()).isEqualTo(block.address());
        assertThat(found.byteSize()).isEqualTo(allocator.usableSize(block));
        assertThat(found.get(ValueLayout.JAVA_INT, 0)).isEqualTo(0x12345678);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> allocator.blockAt(block.address() + 1));
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.blockAt(0));
        try (Arena arena = allocator.arena();
                NativeArray<MemorySegment> owned =
                        NativeArray.zeroed(allocator, StructType.of(ValueLayout.JAVA_LONG), 8)) {
            for (MemorySegment other : List.of(arena.allocate(64, 16), owned.segment())) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> allocator.blockAt(other.address()));
            }
        }
        allocator.free(found);
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.blockAt(block.address()));
    }

    @Test
    void aClosedAllocatorRefusesNewBlocksAndTakesOldOnesBack() {
        if (!isClosable()) {
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(allocator::close);
            allocator.free(allocator.allocate(8, 8));
            return;
        }
        KernelAllocator closed = make();
        MemorySegment block = closed.allocateFrom("valid");
        Arena arena = closed.arena();
        arena.allocate(10);
        AllocatorStats live = closed.stats();
        assertThatIllegalStateException()
                .isThrownBy(closed::close)
                .withMessageContaining("2 live blocks (%d bytes)".formatted(live.liveBytes()));
        assertThatIllegalStateException().isThrownBy(() -> closed.allocate(8, 8));
        assertThatIllegalStateException().isThrownBy(() -> closed.allocateZeroed(8, 8));
        assertThatIllegalStateException().isThrownBy(() -> closed.tryAllocate(8, 8));
        assertThatIllegalStateException().isThrownBy(() -> closed.reallocate(block, 8, 8));
        assertThatIllegalStateException().isThrownBy(closed::arena);
        assertThatIllegalStateException().isThrownBy(closed::sharedArena);
        assertThatIllegalStateException().isThrownBy(() -> arena.allocate(100_000));
        assertThatIllegalStateException().isThrownBy(closed::close);
        assertThat(block.getString(0)).isEqualTo("valid");
        closed.free(block);
        arena.close();
        assertThat(closed.stats().liveBlocks()).isZero();
        assertThat(closed.stats().capacityBytes()).isZero();
    }

    private void refusesToFree(MemorySegment segment, String why) {
        long live = allocator.stats().liveBlocks();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> allocator.free(segment))
                .withMessageContaining(why);
        assertThat(allocator.stats().liveBlocks()).isEqualTo(live);
    }
}
