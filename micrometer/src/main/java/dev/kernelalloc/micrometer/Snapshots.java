package dev.kernelalloc.micrometer;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;

import io.micrometer.core.instrument.Clock;

import org.jspecify.annotations.Nullable;

import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/**
 * The latest snapshot of an allocator that may be gone. Meters are read one by one; those of one
 * scrape, which takes less than {@link #MAX_AGE_NANOS}, share a snapshot.
 */
final class Snapshots {

    private static final long MAX_AGE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Reference<KernelAllocator> allocator;
    private final Clock clock;

    private @Nullable Snapshot latest; // guarded by this

    Snapshots(KernelAllocator allocator, Clock clock) {
        this.allocator = new WeakReference<>(allocator);
        this.clock = clock;
    }

    /** Reads a value; NaN when the allocator is gone. */
    double read(ToDoubleFunction<Snapshot> value) {
        Snapshot snapshot = recent();
        return snapshot == null || allocator.refersTo(null)
                ? Double.NaN
                : value.applyAsDouble(snapshot);
    }

    /** Returns how many requests were refused, up to the last snapshot when it is gone. */
    double refusals(AllocationException.Reason reason) {
        Snapshot snapshot = recent();
        return snapshot == null ? 0 : snapshot.stats().refusals().getOrDefault(reason, 0L);
    }

    private synchronized @Nullable Snapshot recent() {
        long now = clock.monotonicTime();
        Snapshot snapshot = latest;
        if (snapshot == null || now - snapshot.takenNanos() >= MAX_AGE_NANOS) {
            KernelAllocator current = allocator.get();
            if (current != null) {
                snapshot = Snapshot.of(current, now);
                latest = snapshot;
            }
        }
        return snapshot;
    }
}
