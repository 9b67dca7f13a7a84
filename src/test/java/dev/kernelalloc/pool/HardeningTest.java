package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.Hardening;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;

/** What each measure finds when it is taken alone, and that nothing of it is there without it. */
class HardeningTest {

    private static final StructType<MemorySegment> TWENTY_FOUR_BYTES =
            StructType.of(
                    MemoryLayout.structLayout(
                            MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG)
                                    .withName("longs")));

    /** Blocks that the quarantine holds, as the documentation says. */
    private static final int QUARANTINED_BLOCKS = 1024;

    private static PoolAllocator with(Hardening... measures) {
        return PoolAllocator.builder().hardened(Set.of(measures)).build();
    }

    private static PoolAllocator without(Hardening measure) {
        return PoolAllocator.builder().hardened(EnumSet.complementOf(EnumSet.of(measure))).build();
    }

    // ---- double free --------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    @DisplayName("Of two threads that free a block at the same instant one is refused")
    void free_byTwoThreadsAtOnce_oneIsRefused(Hardening measure) throws Exception {
        int rounds = 50;
        int blocks = 100;
        CyclicBarrier together = new CyclicBarrier(2);
        MemorySegment[] shared = new MemorySegment[blocks];
        try (PoolAllocator pool = with(measure);
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            for (int round = 0; round < rounds; round++) {
                Arrays.setAll(shared, _ -> pool.allocate(64, 8));
                Future<Integer> one = threads.submit(() -> freed(pool, shared, together));
                Future<Integer> other = threads.submit(() -> freed(pool, shared, together));
                assertThat(one.get() + other.get()).isEqualTo(blocks);
                assertThat(pool.stats().liveBlocks()).isZero();
            }
        }
    }

    private static int freed(PoolAllocator pool, MemorySegment[] blocks, CyclicBarrier together)
            throws Exception {
        together.await();
        int freed = 0;
        for (MemorySegment block : blocks) {
            try {
                pool.free(block);
                freed++;
            } catch (IllegalArgumentException _) {
                // the other thread was first
            }
        }
        return freed;
    }

    @ParameterizedTest
    @EnumSource
    void withWhateverMeasureABlockFreedTwiceInARowIsRefused(Hardening measure) {
        try (PoolAllocator pool = with(measure)) {
            for (long bytes : new long[] {64, 20_000, 20 << 20}) {
                MemorySegment block = pool.allocate(bytes, 8);
                pool.free(block);
                assertThatIllegalArgumentException().isThrownBy(() -> pool.free(block));
            }
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    // ---- canary -------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 64, 100, 5000, 20_000, 2 << 20, 20 << 20})
    void aByteBehindARawBlockIsReportedWhenItIsFreed(long bytes) {
        try (PoolAllocator pool = with(Hardening.CANARY)) {
            for (int behind = 0; behind < Long.BYTES; behind++) {
                MemorySegment block = pool.allocate(bytes, 8);
                flip(block.address() + bytes + behind);
                assertThatOverrun(block.address(), bytes, () -> pool.free(block));
            }
            assertThat(pool.stats().liveBlocks()).isZero();
            assertThat(pool.stats().quarantinedBytes()).isGreaterThanOrEqualTo(bytes * Long.BYTES);
        }
    }

    @Test
    void aByteBehindABoxIsReportedWhenItIsClosed() {
        try (PoolAllocator pool = with(Hardening.CANARY)) {
            NativeBox<MemorySegment> box = NativeBox.zeroed(pool, TWENTY_FOUR_BYTES);
            long address = box.segment().address();
            flip(address + 24);
            assertThatOverrun(address, 24, box::close);
        }
    }

    @Test
    void aByteBehindABlockOfAnArenaIsReportedWhenItIsClosedAndTheOthersGoBack() {
        try (PoolAllocator pool = with(Hardening.CANARY)) {
            for (boolean shared : new boolean[] {false, true}) {
                Arena arena = shared ? pool.sharedArena() : pool.arena();
                arena.allocate(1_000_000);
                MemorySegment large = arena.allocate(3_000_000);
                arena.allocate(100);
                flip(large.address() + large.byteSize());
                assertThatOverrun(large.address(), large.byteSize(), arena::close);
                assertThat(pool.stats().liveBlocks()).isZero();
            }
        }
    }

    @Test
    void anOverrunBlockIsNeverHandedOutAgain() {
        try (PoolAllocator pool = with(Hardening.CANARY)) {
            MemorySegment overrun = pool.allocate(64, 8);
            flip(overrun.address() + 64);
            assertThatOverrun(overrun.address(), 64, () -> pool.free(overrun));
            MemorySegment[] others = allocate(pool, 5000);
            assertThat(others).extracting(MemorySegment::address).doesNotContain(overrun.address());
            freeAll(pool, others);
        }
    }

    @Test
    void withoutACanaryABlockTakesNoBytesMoreAndNobodyLooksBehindIt() {
        try (PoolAllocator pool = without(Hardening.CANARY);
                PoolAllocator guarded = with(Hardening.CANARY)) {
            MemorySegment block = pool.allocate(64, 8);
            MemorySegment behindIt = pool.allocate(64, 8); // the next of its slab, or any other
            assertThat(pool.stats().liveBytes()).isEqualTo(2 * 64);
            flip(block.address() + 64);
            flip(block.address() + 64);
            pool.free(behindIt);
            pool.free(block);
            MemorySegment larger = guarded.allocate(64, 8);
            assertThat(guarded.stats().liveBytes()).isEqualTo(72);
            guarded.free(larger);
            MemorySegment odd = pool.allocate(60, 8);
            flip(odd.address() + 60); // slack of the class
            pool.free(odd);
        }
    }

    private static void assertThatOverrun(long address, long bytes, ThrowingCallable end) {
        assertThatThrownBy(end)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContainingAll(
                        "block at 0x%x was overrun".formatted(address),
                        "behind its %d bytes".formatted(bytes));
    }

    // ---- overwriting --------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void afterAFreeALateReadFindsThePattern(PoolAllocator.FreedMemory pattern) {
        byte expected = pattern == PoolAllocator.FreedMemory.ZEROED ? 0 : (byte) 0xDF;
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .hardened(Set.of(Hardening.OVERWRITE))
                        .freedMemory(pattern)
                        .build()) {
            for (int bytes : new int[] {1, 64, 100, 5000, 100_000}) {
                MemorySegment block = pool.allocate(bytes, 8).fill((byte) 0x11);
                pool.free(block);
                assertThat(block.toArray(ValueLayout.JAVA_BYTE)).containsOnly(expected);
            }
            NativeBox<MemorySegment> box = NativeBox.uninitialized(pool, TWENTY_FOUR_BYTES);
            box.segment().fill((byte) 0x11);
            MemorySegment again = NativeMemory.segment(box.segment().address(), 24);
            box.close();
            assertThat(again.toArray(ValueLayout.JAVA_BYTE)).containsOnly(expected);
        }
    }

    @Test
    void withoutOverwritingOldContentsStayWhateverPatternIsSet() {
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .hardened(EnumSet.complementOf(EnumSet.of(Hardening.OVERWRITE)))
                        .freedMemory(PoolAllocator.FreedMemory.ZEROED)
                        .build()) {
            MemorySegment block = pool.allocate(64, 8).fill((byte) 0x11);
            pool.free(block);
            assertThat(block.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x11);
        }
    }

    // ---- quarantine ---------------------------------------------------------------------------

    @Test
    void aFreedBlockComesBackAfterTheQuarantineAndNotBefore() {
        try (PoolAllocator pool = with(Hardening.QUARANTINE)) {
            long first = allocateAndFree(pool);
            long[] others =
                    LongStream.generate(() -> allocateAndFree(pool))
                            .limit(QUARANTINED_BLOCKS)
                            .toArray();
            assertThat(others).doesNotContain(first);
            assertThat(pool.stats().quarantinedBytes()).isEqualTo(64L * QUARANTINED_BLOCKS);
            assertThat(LongStream.generate(() -> allocateAndFree(pool)).limit(100_000))
                    .contains(first);
            pool.trim();
            assertThat(pool.stats().quarantinedBytes()).isZero();
        }
    }

    @Test
    void blocksAbove16KiBAreNotQuarantined() {
        try (PoolAllocator pool = with(Hardening.QUARANTINE)) {
            pool.free(pool.allocate(16 << 10, 8));
            assertThat(pool.stats().quarantinedBytes()).isEqualTo(16 << 10);
            pool.free(pool.allocate((16 << 10) + 1, 8));
            assertThat(pool.stats().quarantinedBytes()).isEqualTo(16 << 10);
        }
    }

    @Test
    void withoutQuarantineABlockJustFreedIsTheNextOne() {
        try (PoolAllocator pool = without(Hardening.QUARANTINE)) {
            long first = allocateAndFree(pool);
            assertThat(pool.stats().quarantinedBytes()).isZero();
            assertThat(allocateAndFree(pool)).isEqualTo(first);
        }
    }

    private static long allocateAndFree(PoolAllocator pool) {
        MemorySegment block = pool.allocate(64, 8);
        pool.free(block);
        return block.address();
    }

    // ---- random order -------------------------------------------------------------------------

    /** Of 6,400 blocks about one in 64 stands behind the one before it, when order is random. */
    @Test
    void blocksComeInRandomOrderAndInAnotherOneEachTime() {
        try (PoolAllocator one = with(Hardening.RANDOM_ORDER);
                PoolAllocator other = with(Hardening.RANDOM_ORDER)) {
            long[] order = order(one, 6400);
            assertThat(neighbours(order)).isLessThan(1600);
            assertThat(order(other, 6400)).isNotEqualTo(order);
        }
    }

    @Test
    void withoutRandomOrderNewBlocksComeInTheOrderOfTheirAddresses() {
        try (PoolAllocator pool = without(Hardening.RANDOM_ORDER)) {
            assertThat(neighbours(order(pool, 6400))).isGreaterThan(5600);
        }
    }

    /** Offsets of new blocks from the lowest, in the order in which they are handed out. */
    private static long[] order(PoolAllocator pool, int count) {
        MemorySegment[] blocks = allocate(pool, count);
        long[] addresses = Arrays.stream(blocks).mapToLong(MemorySegment::address).toArray();
        freeAll(pool, blocks);
        long lowest = LongStream.of(addresses).min().orElseThrow();
        return LongStream.of(addresses).map(address -> address - lowest).toArray();
    }

    /** How many stand right behind the one before. */
    private static int neighbours(long[] order) {
        int neighbours = 0;
        for (int i = 1; i < order.length; i++) {
            long distance = order[i] - order[i - 1];
            neighbours += distance == 64 || distance == 72 ? 1 : 0; // 72 with a canary
        }
        return neighbours;
    }

    // ---- all and none -------------------------------------------------------------------------

    @Test
    void hardenedMeansAllMeasuresAndNotHardenedNone() {
        try (PoolAllocator all = PoolAllocator.builder().hardened(true).build();
                PoolAllocator none =
                        PoolAllocator.builder().hardened(true).hardened(false).build();
                PoolAllocator empty = PoolAllocator.builder().hardened(Set.of()).build()) {
            assertThat(HardeningSeen.in(all)).containsExactlyInAnyOrder(Hardening.values());
            assertThat(HardeningSeen.in(none)).isEmpty();
            assertThat(HardeningSeen.in(empty)).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void oneMeasureBringsNoOther(Hardening measure) {
        try (PoolAllocator pool = with(measure)) {
            assertThat(HardeningSeen.in(pool)).isSubsetOf(measure);
        }
    }

    @Test
    void theSetIsCopied() {
        Set<Hardening> measures = EnumSet.of(Hardening.CANARY);
        PoolAllocator.Builder builder = PoolAllocator.builder().hardened(measures);
        measures.clear();
        try (PoolAllocator pool = builder.build()) {
            assertThat(HardeningSeen.in(pool)).containsExactly(Hardening.CANARY);
        }
    }

    // ---- what they share ----------------------------------------------------------------------

    private static MemorySegment[] allocate(PoolAllocator pool, int count) {
        MemorySegment[] blocks = new MemorySegment[count];
        Arrays.setAll(blocks, _ -> pool.allocate(64, 8));
        return blocks;
    }

    private static void freeAll(PoolAllocator pool, MemorySegment[] blocks) {
        Arrays.stream(blocks).forEach(pool::free);
    }

    private static void flip(long address) {
        MemorySegment one = NativeMemory.segment(address, 1);
        one.set(ValueLayout.JAVA_BYTE, 0, (byte) ~one.get(ValueLayout.JAVA_BYTE, 0));
    }
}
