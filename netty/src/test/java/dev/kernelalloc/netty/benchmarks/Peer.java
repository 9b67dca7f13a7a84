package dev.kernelalloc.netty.benchmarks;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.netty.KernelByteBufAllocator;

import io.netty.buffer.AdaptiveByteBufAllocator;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;

/** The allocators that are compared, as Netty's users make them. */
public enum Peer {
    KERNEL {
        @Override
        ByteBufAllocator create() {
            return new KernelByteBufAllocator(PoolAllocator.create());
        }
    },
    ADAPTIVE {
        @Override
        ByteBufAllocator create() {
            return new AdaptiveByteBufAllocator(true);
        }
    },
    POOLED {
        @Override
        ByteBufAllocator create() {
            return new PooledByteBufAllocator(true);
        }
    };

    abstract ByteBufAllocator create();
}
