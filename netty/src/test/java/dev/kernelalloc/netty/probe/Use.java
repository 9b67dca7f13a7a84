package dev.kernelalloc.netty.probe;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.netty.KernelByteBufAllocator;

import io.netty.buffer.ByteBuf;

/** Uses a buffer, and one that the limit refuses. */
public final class Use {

    private Use() {}

    /** Prints what became of both, and whose module the allocator is. */
    public static void main(String[] args) {
        try (PoolAllocator memory = PoolAllocator.builder().limit(4 << 20).build()) {
            KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);
            System.out.println("module: " + KernelByteBufAllocator.class.getModule().getName());
            ByteBuf buffer = allocator.directBuffer(8).writeLong(42);
            System.out.println("read: " + buffer.readLong() + ", " + memory.stats().liveBlocks());
            try {
                buffer.capacity(64 << 20);
            } catch (OutOfMemoryError e) {
                System.out.println("refused: " + e.getClass().getSimpleName());
            }
            buffer.release();
        } catch (IllegalCallerException e) {
            System.out.println("denied: " + e.getMessage());
        }
    }
}
