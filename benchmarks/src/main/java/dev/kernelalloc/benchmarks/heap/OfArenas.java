package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/**
 * An arena a block.
 *
 * @param source opens one
 * @param arenas of the slots
 * @param segments of the slots
 */
record OfArenas(Supplier<Arena> source, Arena[] arenas, MemorySegment[] segments)
        implements Blocks {

    OfArenas(Supplier<Arena> source, int count) {
        this(source, new Arena[count], new MemorySegment[count]);
    }

    @Override
    public void allocate(int slot, long size, long alignment, long value) {
        Arena arena = source.get();
        MemorySegment segment = arena.allocate(size, alignment);
        Touch.write(segment, value);
        arenas[slot] = arena;
        segments[slot] = segment;
    }

    @Override
    public long free(int slot) {
        long value = Touch.first(segments[slot]);
        arenas[slot].close();
        return value;
    }

    @Override
    public void write(int slot, int times) {
        Touch.repeatedly(segments[slot], times);
    }
}
