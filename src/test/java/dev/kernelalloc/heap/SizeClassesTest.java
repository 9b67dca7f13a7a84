package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SizeClassesTest {

    private static final long MAX_TESTED_BYTES = 2 << 20;
    private static final long EVERY_SIZE_UP_TO = 20_000;

    private interface Request {
        void check(long size, long alignment);
    }

    /** Each small size and many larger ones, all with each alignment that has classes. */
    private static void forRequests(Request request) {
        for (long alignment = 1; alignment <= SizeClasses.MAX_ALIGNMENT_BYTES; alignment *= 2) {
            for (long size = 0; size <= EVERY_SIZE_UP_TO; size++) {
                request.check(size, alignment);
            }
            for (long size = EVERY_SIZE_UP_TO; size <= MAX_TESTED_BYTES; size += 61) {
                request.check(size, alignment);
            }
            for (long power = 8; power <= SizeClasses.MAX_BYTES; power *= 2) {
                for (long size = power - 9; size <= power + 9; size++) {
                    if (size >= 0 && roundUp(size, alignment) <= SizeClasses.MAX_BYTES) {
                        request.check(size, alignment);
                    }
                }
            }
        }
    }

    @Test
    void aBlockIsLargeEnoughAndAMultipleOfItsAlignment() {
        forRequests(
                (size, alignment) -> {
                    long bytes = SizeClasses.bytes(SizeClasses.of(size, alignment));
                    if (bytes < Math.max(1, size)
                            || bytes % Math.max(SizeClasses.QUANTUM_BYTES, alignment) != 0) {
                        throw new AssertionError(size + "@" + alignment + " got " + bytes);
                    }
                });
    }

    @Test
    void atMostAQuarterIsWastedAndAboveOneKibibyteAnEighth() {
        forRequests(
                (size, alignment) -> {
                    long needed = roundUp(size, Math.max(SizeClasses.QUANTUM_BYTES, alignment));
                    long bytes = SizeClasses.bytes(SizeClasses.of(size, alignment));
                    long allowed = needed / (needed > 1024 ? 8 : 4);
                    if (bytes - needed > allowed) {
                        throw new AssertionError(size + "@" + alignment + " got " + bytes);
                    }
                });
    }

    @Test
    void theClassIsTheSmallestThatFits() {
        forRequests(
                (size, alignment) -> {
                    int sizeClass = SizeClasses.of(size, alignment);
                    long smaller = sizeClass == 0 ? 0 : SizeClasses.bytes(sizeClass - 1);
                    if (smaller >= Math.max(1, roundUp(size, alignment))) {
                        throw new AssertionError(size + "@" + alignment + ", but " + smaller);
                    }
                });
    }

    @Test
    void theTableHasTheClassesOfTheFormula() {
        forRequests(
                (size, alignment) -> {
                    int byTable = SizeClasses.ofAny(size, alignment);
                    if (byTable != SizeClasses.of(size, alignment)) {
                        throw new AssertionError(size + "@" + alignment + " got " + byTable);
                    }
                });
    }

    @Test
    void noClassIsOfAnInvalidRequestOrOneTooLarge() {
        long[] sizes = {Long.MIN_VALUE, -1, 0, 1, 64, SizeClasses.MAX_BYTES, Long.MAX_VALUE};
        for (long alignment : new long[] {Long.MIN_VALUE, -8, -1, 0, 3, 24, 65, 100_000}) {
            for (long size : sizes) {
                assertNoClass(size, alignment);
            }
        }
        for (long alignment = 1; alignment > 0; alignment *= 2) {
            assertNoClass(-1, alignment);
            assertNoClass(Long.MIN_VALUE, alignment);
            assertNoClass(SizeClasses.MAX_BYTES + 1, alignment);
            assertNoClass(Long.MAX_VALUE, alignment);
            if (alignment > SizeClasses.MAX_ALIGNMENT_BYTES) {
                assertNoClass(0, alignment);
                assertNoClass(64, alignment);
            }
        }
    }

    private static void assertNoClass(long size, long alignment) {
        assertThat(SizeClasses.ofAny(size, alignment))
                .as("%d@%d", size, alignment)
                .isEqualTo(SizeClasses.NONE);
    }

    @Test
    void whatIsAMultipleOfALargeAlignmentWastesNothing() {
        for (long alignment = 8; alignment <= SizeClasses.MAX_ALIGNMENT_BYTES; alignment *= 2) {
            for (long size = alignment; size <= 8 * alignment; size += alignment) {
                assertThat(SizeClasses.bytes(SizeClasses.of(size, alignment))).isEqualTo(size);
            }
            assertThat(SizeClasses.bytes(SizeClasses.of(0, alignment))).isEqualTo(alignment);
        }
    }

    @Test
    void sizesGrowFromClassToClassAndAreTheirOwn() {
        for (int sizeClass = 0; sizeClass < SizeClasses.COUNT; sizeClass++) {
            long bytes = SizeClasses.bytes(sizeClass);
            assertThat(SizeClasses.of(bytes, 1)).isEqualTo(sizeClass);
            assertThat(SizeClasses.of(bytes + 1, 1)).isEqualTo(sizeClass + 1);
        }
        assertThat(SizeClasses.bytes(SizeClasses.COUNT - 1)).isEqualTo(SizeClasses.MAX_BYTES);
    }

    @Test
    void whatIsTooLargeOrTooLargelyAlignedHasNoClass() {
        assertThat(SizeClasses.of(SizeClasses.MAX_BYTES + 1L, 1)).isEqualTo(SizeClasses.NONE);
        assertThat(SizeClasses.of(1, 2 * SizeClasses.MAX_ALIGNMENT_BYTES))
                .isEqualTo(SizeClasses.NONE);
        assertThat(SizeClasses.of(Long.MAX_VALUE - 8, 8)).isEqualTo(SizeClasses.NONE);
        assertThat(SizeClasses.of(Long.MAX_VALUE, 8)).isEqualTo(SizeClasses.NONE);
        assertThat(SizeClasses.of(Long.MAX_VALUE - 7, 4096)).isEqualTo(SizeClasses.NONE);
        assertThat(SizeClasses.of(1, 1L << 61)).isEqualTo(SizeClasses.NONE);
    }

    @Test
    void slabsLeaveLittleUnused() {
        ChunkSource source = new SystemChunks(dev.kernelalloc.os.Platform.current());
        for (long enlargedBytes : new long[] {0, 512 << 10, 2 << 20}) {
            for (int sizeClass = 0; sizeClass < SizeClasses.COUNT; sizeClass++) {
                SlabShape shape = SlabShape.of(sizeClass, source, enlargedBytes);
                long bytes = (long) shape.granules() * Range.GRANULE_BYTES;
                long used = (long) shape.blocks() * SizeClasses.bytes(sizeClass);
                assertThat(bytes - used)
                        .as("unused in a slab of blocks of %d bytes", SizeClasses.bytes(sizeClass))
                        .isBetween(0L, bytes / 8);
            }
        }
    }

    @Test
    void aSlabIsEnlargedToSixteenBlocksWhereThatIsAllowed() {
        ChunkSource source = new SystemChunks(dev.kernelalloc.os.Platform.current());
        int largest = SizeClasses.of(64 << 10, 8);
        for (int sizeClass = 0; sizeClass <= largest; sizeClass++) {
            assertThat(SlabShape.of(sizeClass, source, 1 << 20).blocks())
                    .isGreaterThanOrEqualTo(16);
        }
        SlabShape small = SlabShape.of(largest, source, 512 << 10);
        assertThat(small).isEqualTo(SlabShape.of(largest, source, 0));
        assertThat(small.blocks()).isEqualTo(8);
    }

    private static long roundUp(long size, long alignment) {
        return Math.max(size + alignment - 1 & -alignment, alignment);
    }
}
