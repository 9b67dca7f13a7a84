package dev.kernelalloc;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Where memory that has one owner goes back to. */
sealed interface Origin permits CheckedBlocks, Origin.Elsewhere {

    /** Takes memory back from its owner, once. */
    void freeOwned(long address, long bytes, long alignment);

    /** The memory came from outside the library. */
    record Elsewhere(MemorySegment original, Consumer<MemorySegment> release) implements Origin {
        @Override
        public void freeOwned(long address, long bytes, long alignment) {
            release.accept(original);
        }
    }
}
