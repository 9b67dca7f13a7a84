package dev.kernelalloc;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Where memory that has one owner goes back to. */
sealed interface Origin permits CheckedBlocks, Origin.Raw, Origin.Elsewhere {

    /** Takes memory back from its owner, once. */
    void freeOwned(long address, long bytes, long alignment);

    /** Leaves memory to the caller of its owner, once, instead. */
    void makeRaw(long address);

    /** Where a copy of the memory comes from. */
    CheckedBlocks forCopies();

    /** What is promised of the memory's pages, for people. */
    String guarantee();

    /** The memory was a raw block, of a size that need not be the one that its owner knows. */
    record Raw(CheckedBlocks blocks) implements Origin {
        @Override
        public void freeOwned(long address, long bytes, long alignment) {
            blocks.freeOnceRaw(address);
        }

        @Override
        public void makeRaw(long address) {
            blocks.makeRaw(address);
        }

        @Override
        public CheckedBlocks forCopies() {
            return blocks;
        }

        @Override
        public String guarantee() {
            return blocks.guarantee();
        }
    }

    /** The memory came from outside the library. */
    record Elsewhere(MemorySegment original, Consumer<MemorySegment> release) implements Origin {
        @Override
        public void freeOwned(long address, long bytes, long alignment) {
            release.accept(original);
        }

        @Override
        public void makeRaw(long address) {
            // Nobody here has known of it.
        }

        @Override
        public CheckedBlocks forCopies() {
            return CheckedBlocks.of(KernelAllocator.global());
        }

        @Override
        public String guarantee() {
            return "no guarantee";
        }
    }
}
