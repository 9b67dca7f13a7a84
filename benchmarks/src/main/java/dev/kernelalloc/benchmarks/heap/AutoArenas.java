package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** An {@code Arena.ofAuto()} a block: what is free again the garbage collector finds out. */
final class AutoArenas implements Memory {

    @Override
    public long once(long size, long alignment, long value) {
        return Touch.of(Arena.ofAuto().allocate(size, alignment), value);
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        MemorySegment segment = Arena.ofAuto().allocate(size, alignment);
        return Touch.zeros(segment) + Touch.of(segment, value);
    }

    @Override
    public Blocks blocks(int count) {
        return new Reachable(new MemorySegment[count]);
    }

    private record Reachable(MemorySegment[] segments) implements Blocks {

        @Override
        public void allocate(int slot, long size, long alignment, long value) {
            MemorySegment segment = Arena.ofAuto().allocate(size, alignment);
            Touch.write(segment, value);
            segments[slot] = segment;
        }

        @Override
        public long free(int slot) {
            long value = Touch.first(segments[slot]);
            segments[slot] = null;
            return value;
        }

        @Override
        public void write(int slot, int times) {
            Touch.repeatedly(segments[slot], times);
        }
    }
}
