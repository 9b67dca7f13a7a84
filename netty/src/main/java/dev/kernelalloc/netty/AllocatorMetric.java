package dev.kernelalloc.netty;

import dev.kernelalloc.KernelAllocator;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.UnpooledHeapByteBuf;

import java.util.concurrent.atomic.LongAdder;

/** Counts the bytes of heap buffers; those of direct ones are counted by their allocator. */
final class AllocatorMetric implements ByteBufAllocatorMetric {

    private final KernelAllocator memory;
    private final LongAdder heapBytes = new LongAdder();

    AllocatorMetric(KernelAllocator memory) {
        this.memory = memory;
    }

    /** As Netty's pools count it: with the bytes that are free and kept for the next buffers. */
    @Override
    public long usedDirectMemory() {
        return memory.stats().capacityBytes();
    }

    @Override
    public long usedHeapMemory() {
        return heapBytes.sum();
    }

    ByteBuf heapBuffer(ByteBufAllocator owner, int initialCapacity, int maxCapacity) {
        return new CountedHeapByteBuf(owner, initialCapacity, maxCapacity);
    }

    private final class CountedHeapByteBuf extends UnpooledHeapByteBuf {

        CountedHeapByteBuf(ByteBufAllocator owner, int initialCapacity, int maxCapacity) {
            super(owner, initialCapacity, maxCapacity);
        }

        @Override
        protected byte[] allocateArray(int initialCapacity) {
            byte[] array = super.allocateArray(initialCapacity);
            heapBytes.add(array.length);
            return array;
        }

        @Override
        protected void freeArray(byte[] array) {
            heapBytes.add(-array.length);
            super.freeArray(array);
        }
    }

    @Override
    public String toString() {
        return "usedHeapMemory=" + usedHeapMemory() + " usedDirectMemory=" + usedDirectMemory();
    }
}
