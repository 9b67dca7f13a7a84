package dev.kernelalloc.arena;

import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.leak.Sentinel;

import org.jspecify.annotations.Nullable;

/**
 * A block that an arena frees when it has closed, in a list of them. The record is created before
 * its memory is allocated, so that none is lost with a full Java heap.
 */
public final class ArenaBlock {

    private final long bytes;
    private final long alignment;
    private long address;

    /** The next older block of the arena. */
    @Nullable ArenaBlock older;

    ArenaBlock(long bytes, long alignment) {
        this.bytes = bytes;
        this.alignment = alignment;
    }

    static ArenaBlock allocate(CheckedBlocks source, long bytes, long alignment, boolean zeroed) {
        ArenaBlock block = new ArenaBlock(bytes, alignment);
        block.address = source.allocateOwned(bytes, alignment, zeroed);
        return block;
    }

    static ArenaBlock allocateChunk(CheckedBlocks source, int bytes) {
        return allocate(source, bytes, ArenaSlots.CHUNK_ALIGNMENT_BYTES, false);
    }

    long address() {
        return address;
    }

    long end() {
        return address + bytes;
    }

    /** The arena has it from now on. */
    void addTo(Sentinel sentinel) {
        sentinel.record().add(address, bytes);
    }

    void free(CheckedBlocks source) {
        source.freeOwned(address, bytes, alignment);
    }

    /**
     * Frees a whole list, even if one of the blocks was overrun, or cannot be freed because the
     * Java heap or stack is exhausted: an arena closes only once.
     */
    static void freeAll(@Nullable ArenaBlock newest, CheckedBlocks source) {
        Throwable failure = null;
        for (ArenaBlock block = newest; block != null; block = block.older) {
            try {
                block.free(source);
            } catch (IllegalStateException | Error e) {
                failure = e;
            }
        }
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure != null) {
            throw (IllegalStateException) failure;
        }
    }
}
