package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** An {@code Arena.ofConfined()} a block. Its blocks are of zeros always. */
final class ConfinedArenas implements Memory {

    @Override
    public long once(long size, long alignment, long value) {
        try (Arena arena = Arena.ofConfined()) {
            return Touch.of(arena.allocate(size, alignment), value);
        }
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(size, alignment);
            return Touch.zeros(segment) + Touch.of(segment, value);
        }
    }

    @Override
    public Blocks blocks(int count) {
        return new OfArenas(Arena::ofConfined, count);
    }
}
