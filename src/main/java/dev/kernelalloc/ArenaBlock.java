package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

/**
 * A block that an arena gives back when it has closed, in a list of them. Its record is made before
 * its memory is taken, so that none is lost when the Java heap is exhausted.
 */
final class ArenaBlock {

    private final long bytes;
    private final long alignment;
    private long address;

    /** The next older block of the arena. */
    @Nullable ArenaBlock older;

    ArenaBlock(long bytes, long alignment) {
        this.bytes = bytes;
        this.alignment = alignment;
    }

    static ArenaBlock take(CheckedBlocks source, long bytes, long alignment, boolean zeroed) {
        ArenaBlock block = new ArenaBlock(bytes, alignment);
        block.address = source.allocateOwned(bytes, alignment, zeroed);
        return block;
    }

    static ArenaBlock takeChunk(CheckedBlocks source, int bytes) {
        return take(source, bytes, ArenaSlots.CHUNK_ALIGNMENT_BYTES, false);
    }

    long address() {
        return address;
    }

    long end() {
        return address + bytes;
    }

    /** The arena has it from now on. */
    void showTo(Sentinel sentinel) {
        sentinel.record().add(address, bytes);
    }

    void giveBack(CheckedBlocks source) {
        source.freeOwned(address, bytes, alignment);
    }

    /**
     * Gives back a whole list, also when one of them turns out to have been overrun, or cannot be
     * given back where the Java heap or stack ends: an arena closes but once.
     */
    static void giveBackAll(@Nullable ArenaBlock newest, CheckedBlocks source) {
        Throwable failure = null;
        for (ArenaBlock block = newest; block != null; block = block.older) {
            try {
                block.giveBack(source);
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
