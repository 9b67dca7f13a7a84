package dev.kernelalloc.observe;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;

import java.util.List;
import java.util.Map;

/** The statistics of an allocator for a management server. */
record BeanStatistics(AllocatorStats stats) implements AllocatorMXBean.Statistics {

    @Override
    public String getTag() {
        return stats.tag();
    }

    @Override
    public int getAllocators() {
        return stats.allocators();
    }

    @Override
    public AllocatorStats.Amount getLive() {
        return stats.live();
    }

    @Override
    public AllocatorStats.Amount getCached() {
        return stats.cached();
    }

    @Override
    public AllocatorStats.Amount getRemote() {
        return stats.remote();
    }

    @Override
    public AllocatorStats.Amount getFree() {
        return stats.free();
    }

    @Override
    public AllocatorStats.Amount getQuarantined() {
        return stats.quarantined();
    }

    @Override
    public AllocatorStats.Amount getCapacity() {
        return stats.capacity();
    }

    @Override
    public long getPeakBytes() {
        return stats.peakBytes();
    }

    @Override
    public List<AllocatorStats.SizeClass> getSizeClasses() {
        return stats.sizeClasses();
    }

    @Override
    public AllocatorStats.Large getLarge() {
        return stats.large();
    }

    @Override
    public List<AllocatorStats.Chunks> getChunks() {
        return stats.chunks();
    }

    @Override
    public Map<AllocationException.Reason, Long> getRefusals() {
        return stats.refusals();
    }
}
