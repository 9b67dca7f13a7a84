package dev.kernelalloc;

import dev.kernelalloc.heap.Block;
import dev.kernelalloc.heap.SystemHeap;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Blocks of the system heap: malloc(3) and aligned_alloc(3) through {@code java.lang.foreign}, with
 * every block known to its allocator, so that {@link #free} can refuse what is not one.
 */
public final class PoolAllocator implements KernelAllocator {

    private final CheckedBlocks blocks;

    private PoolAllocator(String tag, OperatingSystem os) {
        this.blocks = new CheckedBlocks(tag, new SystemHeap(os));
    }

    /**
     * A new allocator, tagged {@code pool}.
     *
     * @return an allocator that the caller closes
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    public static PoolAllocator create() {
        return builder().build();
    }

    /**
     * Settings for a new allocator.
     *
     * @return a builder with the defaults
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The allocator of the process for blocks that Java code frees. It cannot be closed.
     *
     * @return always the same one
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    public static PoolAllocator shared() {
        Platform.current(); // an explained exception here, not an error in a class initialiser
        return ProcessWide.SHARED;
    }

    /**
     * The system heap itself: every block is one malloc, calloc or aligned_alloc, which C code may
     * free after {@link #disown}; and what C code has allocated can be freed here after {@link
     * #adopt}. It cannot be closed.
     *
     * @return always the same one
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    public static PoolAllocator systemHeap() {
        Platform.current();
        return ProcessWide.SYSTEM_HEAP;
    }

    /**
     * Takes over a block that C code got from malloc, calloc or realloc, to be freed here. Nobody
     * can check that: a block of other origin ends the process when it is freed. The caller has
     * vouched for its size already, by {@link MemorySegment#reinterpret(long)}.
     *
     * @param block a segment of the global scope, of the size the block has in C, not 0
     * @return the block as a raw block of this allocator
     * @throws IllegalArgumentException when it is NULL, of the Java heap, or of a scope that can be
     *     closed, has no size, or is a live block of this allocator already
     * @throws UnsupportedOperationException when this is not {@link #systemHeap}
     */
    public MemorySegment adopt(MemorySegment block) {
        requireSystemHeap();
        return blocks.adopt(block, Block.Origin.C_HEAP);
    }

    /**
     * Leaves a raw block to C code, which will free it: by free(3), or on Windows, when it was
     * allocated with an alignment above 16, by {@code _aligned_free}. To this allocator the block
     * is no longer alive.
     *
     * @param block a raw block of this allocator, as for {@link #free}
     * @throws IllegalArgumentException when {@code block} is not what {@link #free} takes
     * @throws UnsupportedOperationException when this is not {@link #systemHeap}
     */
    public void disown(MemorySegment block) {
        requireSystemHeap();
        blocks.disown(block);
    }

    @Override
    public String toString() {
        return "PoolAllocator" + blocks;
    }

    CheckedBlocks blocks() {
        return blocks;
    }

    private void requireSystemHeap() {
        if (this != ProcessWide.SYSTEM_HEAP) {
            throw new UnsupportedOperationException(
                    "only the blocks of PoolAllocator.systemHeap() can be C code's, this is "
                            + this);
        }
    }

    private static final class ProcessWide {
        static final PoolAllocator SHARED = processWide("shared");
        static final PoolAllocator SYSTEM_HEAP = processWide("system heap");

        private static PoolAllocator processWide(String tag) {
            PoolAllocator allocator = builder().tag(tag).build();
            allocator.blocks.serveProcess();
            return allocator;
        }
    }

    /** Settings for a new {@link PoolAllocator}; not for use by several threads at once. */
    public static final class Builder {

        private String tag = "pool";

        private Builder() {}

        /**
         * What the memory is for, as shown in statistics and messages.
         *
         * @param tag any text
         * @return this builder
         */
        public Builder tag(String tag) {
            this.tag = Objects.requireNonNull(tag, "tag");
            return this;
        }

        /**
         * Makes an allocator.
         *
         * @return an allocator that the caller closes
         * @throws IllegalCallerException when native access is denied; the message names the flag
         *     to add
         */
        public PoolAllocator build() {
            return build(Platform.current());
        }

        PoolAllocator build(OperatingSystem os) {
            return new PoolAllocator(tag, os);
        }
    }
}
