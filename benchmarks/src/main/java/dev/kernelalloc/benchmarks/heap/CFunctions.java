package dev.kernelalloc.benchmarks.heap;

/** An allocator with the functions of C: a block is an address, and to free it takes no more. */
public interface CFunctions {

    /** The default alignment of every block. */
    long NATURAL_ALIGNMENT = 16;

    long malloc(long size);

    long calloc(long size);

    /**
     * For alignments above {@link #NATURAL_ALIGNMENT}.
     *
     * @param size a multiple of the alignment
     */
    long alignedAlloc(long alignment, long size);

    void free(long address);

    /** Gives back what is idle, as far as it can be asked to. */
    default void trim() {}

    default long allocate(long size, long alignment) {
        return alignment <= NATURAL_ALIGNMENT
                ? malloc(size)
                : alignedAlloc(alignment, (size + alignment - 1) & -alignment);
    }
}
