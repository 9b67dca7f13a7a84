package dev.kernelalloc.benchmarks.heap;

import org.lwjgl.system.mimalloc.mimalloc;

/** mimalloc as LWJGL brings it. */
final class LwjglMimalloc implements CFunctions {

    @Override
    public long malloc(long size) {
        return mimalloc.nmi_malloc(size);
    }

    @Override
    public long calloc(long size) {
        return mimalloc.nmi_calloc(1, size);
    }

    @Override
    public long alignedAlloc(long alignment, long size) {
        return mimalloc.nmi_malloc_aligned(size, alignment);
    }

    @Override
    public void free(long address) {
        mimalloc.nmi_free(address);
    }

    @Override
    public void trim() {
        mimalloc.mi_collect(true);
    }
}
