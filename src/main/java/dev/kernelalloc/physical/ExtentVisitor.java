package dev.kernelalloc.physical;

/**
 * Receives the physical extents of memory one by one, as two numbers: what a driver writes into a
 * scatter-gather list, without an object for each.
 */
@FunctionalInterface
public interface ExtentVisitor {

    /**
     * Receives an extent.
     *
     * @param address the physical address of its first byte
     * @param bytes the number of bytes, at least 1
     */
    void visit(long address, long bytes);
}
