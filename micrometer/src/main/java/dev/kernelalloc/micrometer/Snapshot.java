package dev.kernelalloc.micrometer;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;

/** What an allocator reports at one time. */
record Snapshot(long takenNanos, AllocatorStats stats, long charged, long limit) {

    static Snapshot of(KernelAllocator allocator, long nanos) {
        return new Snapshot(nanos, allocator.stats(), allocator.charged(), allocator.limit());
    }

    double limitOrNaN() {
        return limit == Long.MAX_VALUE ? Double.NaN : limit;
    }
}
