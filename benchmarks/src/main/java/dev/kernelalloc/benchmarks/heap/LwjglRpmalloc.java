package dev.kernelalloc.benchmarks.heap;

import org.lwjgl.system.rpmalloc.RPmalloc;

/** rpmalloc as LWJGL brings it. */
final class LwjglRpmalloc implements CFunctions {

    @Override
    public long malloc(long size) {
        return RPmalloc.nrpmalloc(size);
    }

    @Override
    public long calloc(long size) {
        return RPmalloc.nrpcalloc(1, size);
    }

    @Override
    public long alignedAlloc(long alignment, long size) {
        return RPmalloc.nrpaligned_alloc(alignment, size);
    }

    @Override
    public void free(long address) {
        RPmalloc.nrpfree(address);
    }
}
