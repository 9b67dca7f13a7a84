package dev.kernelalloc.benchmarks.heap;

/** Blocks that are alive, each in a slot of its own. Not for use by two threads at once. */
public interface Blocks {

    /**
     * Allocates a block into an empty slot and writes the value at its first and last eight bytes.
     */
    void allocate(int slot, long size, long alignment, long value);

    /**
     * Reads the first eight bytes of a block and frees it.
     *
     * @return what was read
     */
    long free(int slot);

    /**
     * Writes the numbers from 0 to below {@code times} to the first eight bytes of a block. Each is
     * an instruction; where the block is, is looked up once, as in C.
     */
    void write(int slot, int times);
}
