package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Blocks beyond the caches (1 MiB), beyond the classes (16 MiB), and of large alignments. */
class LargeBlocksTest {

    private static final long MIB = 1 << 20;

    private final PoolAllocator pool =
            PoolAllocator.builder().cacheBytes(MIB, 64 * MIB).tag("large").build();

    @AfterEach
    void allGoesBack() {
        assertThat(pool.stats().liveBlocks()).isZero();
        pool.trim();
        assertThat(pool.stats().capacityBytes()).isZero();
        pool.close();
    }

    @DisplayName("Where the alignment is what no address space has room for, the refusal names it")
    @Test
    void allocate_ofImpossibleAlignment_namesIt() {
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> pool.allocate(1, 1L << 61))
                .withMessageContaining("alignment=2305843009213693952: the C heap has no block");
    }

    @Test
    void everyAlignmentUpToOneGibibyteIsGivenWithoutPayingForIt() {
        for (long alignment = 1; alignment <= 1024 * MIB; alignment *= 2) {
            long bytes = MIB + 4096;
            MemorySegment block = pool.allocate(bytes, alignment);
            assertThat(block.address() % alignment).isZero();
            long rounded = (bytes + alignment - 1) / alignment * alignment;
            long fair = alignment > 64 << 10 ? bytes : rounded; // beyond, a chunk of its own
            assertThat(pool.stats().liveBytes()).isBetween(bytes, fair + fair / 8);
            writeBothEnds(block);
            pool.free(block);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {64, 256, 4096, 16384, 65536})
    void blocksAsLargeAsTheirAlignmentTakeTheirSizeAlone(long alignment) {
        int blocks = 200;
        MemorySegment[] all = new MemorySegment[blocks];
        for (int i = 0; i < blocks; i++) {
            all[i] = pool.allocate(alignment, alignment);
            assertThat(all[i].address() % alignment).isZero();
        }
        assertThat(pool.stats().liveBytes()).isEqualTo(blocks * alignment);
        for (MemorySegment block : all) {
            pool.free(block);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, 1 << 30})
    @EnabledOnOs(value = OS.LINUX, disabledReason = "skipped: reads /proc")
    void pagesThatNobodyTouchesCostNothing(long alignment) {
        assumeTrue(
                alignment == 4096 || System.getenv("MALLOC_CHECK_") == null,
                "skipped: the checking heap marks all that it has mapped behind an aligned block");
        MemorySegment block = pool.allocateZeroed(1024 * MIB, alignment);
        writeBothEnds(block);
        long residentBytes = LinuxProcess.residentBytes(block.address());
        pool.free(block);
        assertThat(residentBytes).isLessThan(16 * MIB);
    }

    @ParameterizedTest
    @ValueSource(longs = {17, 20, 33})
    void aFreedOneServesAgainAndIsZerosWhereThatIsAskedFor(long mebibytes) {
        MemorySegment first = pool.allocate(mebibytes * MIB, 8).fill((byte) -1);
        pool.free(first);
        assertThat(pool.stats().capacityBytes()).isEqualTo(mebibytes * MIB);
        MemorySegment again = pool.allocateZeroed(mebibytes * MIB, 8);
        assertThat(again.address()).isEqualTo(first.address());
        assertThat(again.mismatch(MemorySegment.ofArray(new byte[(int) again.byteSize()])))
                .isEqualTo(-1);
        pool.free(again);
    }

    @Test
    void aFreedOneThatIsMuchLargerOrNotAlignedDoesNotServe() {
        MemorySegment large = pool.allocate(40 * MIB, 8);
        pool.free(large);
        MemorySegment small = pool.allocate(20 * MIB, 8);
        assertThat(small.address()).isNotEqualTo(large.address());
        assertThat(pool.stats().liveBytes()).isEqualTo(20 * MIB);
        pool.free(small);
        MemorySegment aligned = pool.allocate(40 * MIB, 256 * MIB);
        assertThat(aligned.address() % (256 * MIB)).isZero();
        pool.free(aligned);
    }

    @Test
    void freeOnesAreKeptUpToTheLimitAndNotBeyond() {
        MemorySegment[] blocks = new MemorySegment[6];
        for (int i = 0; i < blocks.length; i++) {
            blocks[i] = pool.allocate(20 * MIB, 8);
        }
        for (MemorySegment block : blocks) {
            pool.free(block);
        }
        assertThat(pool.stats().capacityBytes()).isEqualTo(60 * MIB); // of the 64 that it may keep
    }

    @Test
    void aLargeBlockIsResizedInPlaceWhereItFitsAndIsNotMuchTooLarge() {
        MemorySegment block = pool.allocate(40 * MIB, 8);
        long usable = pool.usableSize(block);
        assertThat(usable).isGreaterThanOrEqualTo(40 * MIB);
        MemorySegment smaller = pool.reallocate(block, 36 * MIB, 8);
        assertThat(smaller.address()).isEqualTo(block.address());
        assertThat(pool.reallocate(smaller, usable, 8).address()).isEqualTo(block.address());
        writeBothEnds(block);
        MemorySegment small = pool.reallocate(block, 2 * MIB, 8);
        assertThat(small.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
        assertThat(pool.stats().liveBytes()).isEqualTo(2 * MIB);
        pool.free(small);
    }

    @ParameterizedTest
    @ValueSource(longs = {65, 1000, 100_000, 3 * MIB})
    void aBlockOfAClassIsResizedInPlaceWithinIt(long bytes) {
        MemorySegment block = pool.allocate(bytes, 8);
        long usable = pool.usableSize(block);
        MemorySegment grown = pool.reallocate(block, usable, 8);
        assertThat(grown.address()).isEqualTo(block.address());
        assertThat(grown.byteSize()).isEqualTo(usable);
        MemorySegment moved = pool.reallocate(grown, usable + 1, 8);
        assertThat(pool.usableSize(moved)).isGreaterThan(usable);
        pool.free(moved);
    }

    private static void writeBothEnds(MemorySegment block) {
        block.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        block.set(ValueLayout.JAVA_BYTE, block.byteSize() - 1, (byte) 1);
    }
}
