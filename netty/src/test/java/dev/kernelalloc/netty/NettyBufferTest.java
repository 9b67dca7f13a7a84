package dev.kernelalloc.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;

import io.netty.buffer.AbstractByteBufTest;
import io.netty.buffer.ByteBuf;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Netty's own tests of a buffer, as Netty publishes them. */
@DisplayName("Netty's tests of buffers pass")
class NettyBufferTest extends AbstractByteBufTest {

    private final PoolAllocator memory = PoolAllocator.create();
    private final KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);

    /** After Netty's own clean-up; throws where a buffer is still alive. */
    @RegisterExtension private final AfterEachCallback closing = _ -> memory.close();

    @Override
    protected ByteBuf newBuffer(int capacity, int maxCapacity) {
        long before = memory.stats().liveBlocks();
        ByteBuf buffer = allocator.directBuffer(capacity, maxCapacity);
        assertThat(memory.stats().liveBlocks())
                .isEqualTo(before + (capacity + maxCapacity == 0 ? 0 : 1));
        assertThat(buffer.readerIndex()).isZero();
        assertThat(buffer.writerIndex()).isZero();
        return buffer;
    }
}
