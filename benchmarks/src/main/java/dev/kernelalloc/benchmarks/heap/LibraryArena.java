package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** An arena of this library a block: the one line of a program that changes. */
final class LibraryArena implements Memory {

    @Override
    public long once(long size, long alignment, long value) {
        try (Arena arena = Library.POOL.arena()) {
            return Touch.of(arena.allocate(size, alignment), value);
        }
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        try (Arena arena = Library.POOL.arena()) {
            MemorySegment segment = arena.allocate(size, alignment);
            return Touch.zeros(segment) + Touch.of(segment, value);
        }
    }

    @Override
    public Blocks blocks(int count) {
        return new OfArenas(Library.POOL::arena, count);
    }
}
