package dev.kernelalloc.arena;

import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.os.NativeMemory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * An arena of all threads that the garbage collector ends. Each segment is a block of its own,
 * which is freed once neither the arena nor any of its segments is reachable.
 */
public final class AutoArena implements Arena {

    private final CheckedBlocks source;
    private final Arena lifetime = Arena.ofAuto();

    private AutoArena(CheckedBlocks source) {
        this.source = source;
    }

    /** Opens an arena; throws if the allocator is closed. */
    public static Arena open(CheckedBlocks source) {
        source.requireOpen();
        return new AutoArena(source);
    }

    /** Refers to neither the arena nor a segment, which would then stay reachable. */
    private record Freeing(CheckedBlocks source, long bytes, long alignment)
            implements Consumer<MemorySegment> {
        @Override
        public void accept(MemorySegment block) {
            source.freeOwned(block.address(), bytes, alignment);
        }
    }

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        Freeing freeing = new Freeing(source, byteSize, byteAlignment);
        long address = source.allocateOwned(byteSize, byteAlignment, true);
        try {
            return NativeMemory.segment(address, byteSize, lifetime, freeing);
        } catch (Throwable e) {
            source.freeOwned(address, byteSize, byteAlignment); // the Java heap is exhausted
            throw e;
        }
    }

    @Override
    public MemorySegment.Scope scope() {
        return lifetime.scope();
    }

    @Override
    public void close() {
        lifetime.close(); // throws, as the contract says
    }
}
