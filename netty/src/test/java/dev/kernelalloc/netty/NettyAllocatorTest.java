package dev.kernelalloc.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.AbstractByteBufAllocatorTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Netty's own tests of an allocator, as Netty publishes them. */
@DisplayName("Netty's tests of allocators pass")
class NettyAllocatorTest extends AbstractByteBufAllocatorTest<AbstractByteBufAllocator> {

    private static final int MIB = 1 << 20;

    private final PoolAllocator memory = PoolAllocator.create();

    private boolean ofHeapMemory;

    @AfterEach
    void close() {
        memory.close(); // throws where a buffer is still alive
    }

    @Override
    protected AbstractByteBufAllocator newAllocator(boolean preferDirect) {
        return new KernelByteBufAllocator(memory, preferDirect);
    }

    /** Asked for where Netty's tests are about Netty's unpooled buffers. */
    @Override
    protected AbstractByteBufAllocator newUnpooledAllocator() {
        return new UnpooledByteBufAllocator(true);
    }

    @Override
    protected boolean isDirectExpected(boolean preferDirect) {
        return preferDirect;
    }

    /** Of direct memory that of the slabs, which are kept for reuse. */
    @Override
    protected long expectedUsedMemory(AbstractByteBufAllocator allocator, int capacity) {
        if (ofHeapMemory) {
            return capacity;
        }
        assertThat(memory.stats().liveBytes()).isGreaterThanOrEqualTo(capacity);
        return memory.stats().capacityBytes();
    }

    @Override
    protected long expectedUsedMemoryAfterRelease(
            AbstractByteBufAllocator allocator, int capacity) {
        return ofHeapMemory ? 0 : memory.stats().capacityBytes();
    }

    @Override
    protected void trimCaches(AbstractByteBufAllocator allocator) {
        memory.trim();
    }

    @Test
    @Override
    public void testUsedHeapMemory() {
        ofHeapMemory = true;
        super.testUsedHeapMemory();
    }

    /** Of direct buffers: those of the Java heap, which Netty's test is about, are not pooled. */
    @Test
    @Override
    public void shouldReuseChunks() {
        KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);
        for (int i = 0; i < 100; i++) {
            ByteBuf buffer = allocator.directBuffer(MIB, MIB);
            assertThat(memory.stats().liveBlocks()).isEqualTo(1);
            buffer.release();
        }
        assertThat(memory.stats().peakBytes()).isLessThan(8 * MIB);
    }
}
