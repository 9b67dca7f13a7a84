package dev.kernelalloc.benchmarks.heap;

import org.lwjgl.system.jemalloc.JEmalloc;

/** jemalloc as LWJGL brings it. */
final class LwjglJemalloc implements CFunctions {

    @Override
    public long malloc(long size) {
        return JEmalloc.nje_malloc(size);
    }

    @Override
    public long calloc(long size) {
        return JEmalloc.nje_calloc(1, size);
    }

    @Override
    public long alignedAlloc(long alignment, long size) {
        return JEmalloc.nje_aligned_alloc(alignment, size);
    }

    @Override
    public void free(long address) {
        JEmalloc.nje_free(address);
    }
}
