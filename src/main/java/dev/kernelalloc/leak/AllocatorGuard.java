package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.Pressure;

import org.jspecify.annotations.Nullable;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * Guards an allocator: reachable as long as the allocator, an owner of its memory, or one of their
 * calls in progress. An allocator that is dropped without being closed is reported, if it has
 * memory. Memory without a live block is then returned to the system, and so is memory that other
 * threads had in their caches when the allocator was closed: no thread can use these caches any
 * more, though the threads may be alive.
 */
public final class AllocatorGuard {

    /** The remains of an allocator; refers to its memory, but to nothing that guards it. */
    private static final class PendingReclaim extends PhantomReference<AllocatorGuard>
            implements LeakDetector.Dropped {

        /** Keeps the references reachable, so that the collector enqueues them. */
        private static final Set<PendingReclaim> ALL = ConcurrentHashMap.newKeySet();

        private final @Nullable LeakRecord record;
        private final Runnable reclaiming;

        PendingReclaim(AllocatorGuard guard, @Nullable LeakRecord record, Runnable reclaiming) {
            super(guard, LeakDetector.DROPPED);
            this.record = record;
            this.reclaiming = reclaiming;
        }

        @Override
        public void found() {
            if (ALL.remove(this)) {
                if (record != null) {
                    LeakDetector.lost(record); // first: it reports the memory that is returned now
                }
                reclaiming.run();
            }
        }
    }

    /** Reports the loss; null where nothing is tracked. */
    private final @Nullable Sentinel unclosed;

    /** Referred to weakly by the budget, since that is reachable from the remains. */
    @SuppressWarnings("unused")
    private final List<Consumer<Pressure>> pressureListeners;

    private @Nullable PendingReclaim pending;

    /** Creates a guard for an allocator to come, which keeps the listeners of its budget. */
    public AllocatorGuard(Tracker tracker, List<Consumer<Pressure>> pressureListeners) {
        this.pressureListeners = pressureListeners;
        this.unclosed = tracker.sentinelOfOne(LeakReport.Kind.ALLOCATOR, 0, 0);
    }

    /** Returns whether the memory of any allocator is guarded. */
    static boolean isAnyGuarded() {
        return !PendingReclaim.ALL.isEmpty();
    }

    /** Counts memory taken and returned by the allocator: the amount that would be lost. */
    public Counting counting() {
        return new Counting(unclosed == null ? null : unclosed.record());
    }

    /** A count that does not keep the guard reachable. */
    public record Counting(@Nullable LeakRecord record) implements LongConsumer {
        @Override
        public void accept(long bytes) {
            if (record != null) {
                record.add(bytes);
            }
        }
    }

    /**
     * Guards the memory of the allocator from now on.
     *
     * @param reclaiming returns memory without a live block, once no thread can reach the
     *     allocator; refers neither to the allocator nor to this guard
     */
    public void guard(Runnable reclaiming) {
        pending = new PendingReclaim(this, unclosed == null ? null : unclosed.record(), reclaiming);
        PendingReclaim.ALL.add(pending);
        LeakDetector.ensureRunning();
    }

    /** The allocator is about to be closed, and is not lost any more. */
    public void closing() {
        if (unclosed != null) {
            unclosed.end();
        }
    }

    /** There is no memory left to reclaim, or there will never be a time to do so. */
    public void dismiss() {
        closing();
        PendingReclaim known = pending;
        if (known != null && PendingReclaim.ALL.remove(known)) {
            known.clear();
        }
        Reference.reachabilityFence(this);
    }
}
