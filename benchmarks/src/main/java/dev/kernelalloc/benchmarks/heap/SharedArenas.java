package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** An {@code Arena.ofShared()} a block. Its blocks are of zeros always. */
final class SharedArenas implements Memory {

    @Override
    public long once(long size, long alignment, long value) {
        try (Arena arena = Arena.ofShared()) {
            return Touch.of(arena.allocate(size, alignment), value);
        }
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment segment = arena.allocate(size, alignment);
            return Touch.zeros(segment) + Touch.of(segment, value);
        }
    }

    @Override
    public Blocks blocks(int count) {
        return new OfArenas(Arena::ofShared, count);
    }
}
