package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LiveBlocksTest {

    /** Its blocks are never touched. Where they move to, the Java heap is exhausted. */
    private record Unmoving(Block.Origin origin) implements BlockSource {

        @Override
        public Block obtain(long bytes, long alignment, boolean zeroed) {
            return new Block(1 << 20, bytes, bytes, origin);
        }

        @Override
        public boolean resizes(Block block, long alignment) {
            return true;
        }

        @Override
        public Block resize(Block block, long bytes, long alignment) {
            throw new OutOfMemoryError("thrown by the test");
        }

        @Override
        public void release(Block block) {
            assertThat(block.address()).isEqualTo(1 << 20);
        }
    }

    /** Of a block of the C heap nobody knows whether it has moved: it is forgotten. */
    @ParameterizedTest
    @EnumSource
    void countersFollowABlockThatCannotMove(Block.Origin origin) throws Exception {
        LiveBlocks blocks = new LiveBlocks("tested", new Unmoving(origin));
        long address = blocks.allocate(100, 8, false);

        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(() -> blocks.resize(address, 200, 8));

        long left = origin == Block.Origin.PAGES ? 1 : 0;
        assertThat(blocks.counters().liveBlocks()).isEqualTo(left);
        assertThat(blocks.counters().capacityBytes()).isEqualTo(100 * left);
        if (left == 1) {
            blocks.free(address);
        }
        assertThat(blocks.counters().capacityBytes()).isZero();
    }
}
