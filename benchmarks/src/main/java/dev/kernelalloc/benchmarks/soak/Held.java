package dev.kernelalloc.benchmarks.soak;

import dev.kernelalloc.KernelAllocator;

import java.lang.foreign.MemorySegment;

/**
 * A live raw block.
 *
 * @param block of exactly the requested size
 * @param alignment that was asked for
 * @param stamp what is written in it
 */
record Held(MemorySegment block, long alignment, long stamp) {

    Held {
        if ((block.address() & (alignment - 1)) != 0) {
            throw new IllegalStateException(
                    "asked for alignment %d, got address %#x"
                            .formatted(alignment, block.address()));
        }
        Stamp.write(block, stamp);
    }

    void verify() {
        Stamp.verify(block, block.byteSize(), stamp);
    }

    void free(KernelAllocator allocator) {
        allocator.free(block);
    }
}
