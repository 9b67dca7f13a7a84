package dev.kernelalloc.benchmarks.heap;

import io.netty.buffer.AdaptiveByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;

import java.lang.invoke.VarHandle;

/**
 * A direct buffer of Netty per block. Its allocators have no alignment.
 *
 * @param allocator the only one that this JVM creates
 */
record NettyBuffers(ByteBufAllocator allocator) implements Memory {

    /**
     * With its defaults, but for thread caches, which otherwise only Netty's own threads would
     * have.
     */
    static ByteBufAllocator pooled() {
        return new PooledByteBufAllocator(
                true,
                PooledByteBufAllocator.defaultNumHeapArena(),
                PooledByteBufAllocator.defaultNumDirectArena(),
                PooledByteBufAllocator.defaultPageSize(),
                PooledByteBufAllocator.defaultMaxOrder(),
                PooledByteBufAllocator.defaultSmallCacheSize(),
                PooledByteBufAllocator.defaultNormalCacheSize(),
                true);
    }

    /** With thread caches for all threads too. */
    static ByteBufAllocator adaptive() {
        return new AdaptiveByteBufAllocator(true, true);
    }

    @Override
    public long once(long size, long alignment, long value) {
        ByteBuf buffer = allocator.directBuffer((int) size, (int) size);
        return touchAndFree(buffer, size, value);
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        ByteBuf buffer = allocator.directBuffer((int) size, (int) size);
        buffer.setZero(0, (int) size);
        long zeros = buffer.getLongLE(0) + buffer.getLongLE((int) size - Long.BYTES);
        return zeros + touchAndFree(buffer, size, value);
    }

    private static long touchAndFree(ByteBuf buffer, long size, long value) {
        int last = (int) size - Long.BYTES;
        buffer.setLongLE(0, value);
        buffer.setLongLE(last, value);
        long sum = buffer.getLongLE(0) + buffer.getLongLE(last);
        buffer.release();
        return sum;
    }

    @Override
    public Blocks blocks(int count) {
        return new Buffers(allocator, new ByteBuf[count]);
    }

    private record Buffers(ByteBufAllocator allocator, ByteBuf[] buffers) implements Blocks {

        @Override
        public void allocate(int slot, long size, long alignment, long value) {
            ByteBuf buffer = allocator.directBuffer((int) size, (int) size);
            buffer.setLongLE(0, value);
            buffer.setLongLE((int) size - Long.BYTES, value);
            buffers[slot] = buffer;
        }

        @Override
        public long free(int slot) {
            long value = buffers[slot].getLongLE(0);
            buffers[slot].release();
            return value;
        }

        @Override
        public void write(int slot, int times) {
            ByteBuf buffer = buffers[slot];
            for (int i = 0; i < times; i++) {
                buffer.setLongLE(0, i);
                VarHandle.releaseFence(); // as in Touch
            }
        }
    }
}
