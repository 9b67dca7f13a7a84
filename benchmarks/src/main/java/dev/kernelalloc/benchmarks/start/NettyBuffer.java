package dev.kernelalloc.benchmarks.start;

import io.netty.buffer.PooledByteBufAllocator;

/** One block of Netty. */
final class NettyBuffer {

    private NettyBuffer() {}

    /** Started as a program. */
    public static void main(String[] arguments) {
        PooledByteBufAllocator.DEFAULT.directBuffer(64).release();
    }
}
