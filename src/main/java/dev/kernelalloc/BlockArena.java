package dev.kernelalloc;

import dev.kernelalloc.heap.LiveBlocks.Owner;
import dev.kernelalloc.os.NativeMemory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * An arena whose segments are blocks of an allocator. What an arena has to be — alive, confined,
 * closed once, not while a downcall holds a segment — is the business of {@code lifetime}, an arena
 * of the JDK.
 *
 * @param blocks where segments come from
 * @param lifetime bounds every segment and frees its block when closed
 */
record BlockArena(CheckedBlocks blocks, Arena lifetime) implements Arena {

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        NativeMemory.segment(0, 0, lifetime); // throws when closed, or confined to another thread
        ArenaBlock block = new ArenaBlock(blocks);
        block.address = blocks.allocate(byteSize, byteAlignment, true, Owner.ARENA);
        try {
            return NativeMemory.segment(block.address, byteSize, lifetime, block);
        } catch (RuntimeException | Error e) {
            block.accept(MemorySegment.NULL); // closed meanwhile, or the Java heap is exhausted
            throw e;
        }
    }

    /** Frees a block once, whoever asks first: the arena, or the failed allocation. */
    private static final class ArenaBlock implements Consumer<MemorySegment> {

        private final CheckedBlocks blocks;
        private final AtomicBoolean freed = new AtomicBoolean();
        private long address;

        ArenaBlock(CheckedBlocks blocks) {
            this.blocks = blocks;
        }

        @Override
        public void accept(MemorySegment segment) {
            if (freed.compareAndSet(false, true)) {
                blocks.free(address, Owner.ARENA);
            }
        }
    }

    @Override
    public MemorySegment.Scope scope() {
        return lifetime.scope();
    }

    @Override
    public void close() {
        lifetime.close();
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return "Arena[" + (scope().isAlive() ? "open" : "closed") + "]";
    }
}
