package dev.kernelalloc.nvme.check;

import dev.kernelalloc.nvme.DmaAllocator;
import dev.kernelalloc.nvme.QueuePair;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** A buffer for each command in flight. */
final class TransferBuffers implements AutoCloseable {

    private static final int PAGE_BYTES = 4096;

    private final DmaAllocator dma;
    private final QueuePair queue;
    private final List<MemorySegment> blocks = new ArrayList<>();
    private final Deque<MemorySegment> free = new ArrayDeque<>();

    /**
     * Allocates buffers.
     *
     * @param bytes the size of each
     * @param skew the offset of each from the beginning of a page
     */
    TransferBuffers(DmaAllocator dma, QueuePair queue, int bytes, int skew) {
        this.dma = dma;
        this.queue = queue;
        for (int i = 0; i < queue.capacity(); i++) {
            MemorySegment block = dma.memory().allocate(skew + bytes, PAGE_BYTES);
            blocks.add(block);
            free.add(block.asSlice(skew));
        }
    }

    List<MemorySegment> blocks() {
        return blocks;
    }

    /** Returns the beginning of a free buffer, once a completion has released one. */
    MemorySegment take(long bytes) {
        while (free.isEmpty()) {
            queue.poll();
        }
        return free.pop().asSlice(0, bytes);
    }

    void give(MemorySegment buffer) {
        free.push(buffer);
    }

    /**
     * Frees the buffers, unless a check has failed with commands in flight: the device may still
     * write to them. They are freed with the allocator then, after the device is closed.
     */
    @Override
    public void close() {
        if (queue.inFlight() == 0) {
            blocks.forEach(dma.memory()::free);
        }
    }
}
