package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.Tracking;

import java.lang.ref.Reference;

/**
 * Stands guard for an owner of memory that is tracked: the owner holds it, and who has lost the
 * owner has lost it too. References of the collector point here, never to the owner, so that an
 * owner that is not tracked stays an object that the JIT may remove.
 */
public final class Sentinel {

    private final Tracker tracker;
    private final LeakRecord record;

    /** The end of a message about a use after {@link #end}; empty unless all owners are tracked. */
    private String closedAt = "";

    /** Not yet on its {@link #post}. */
    public Sentinel(Tracker tracker, LeakReport.Kind kind, long address, long bytes) {
        this.tracker = tracker;
        this.record = new LeakRecord(this, tracker, kind, address, bytes);
    }

    /** From now on its loss is noticed. */
    public Sentinel post() {
        record.begin(tracker);
        LeakDetector.ensureRunning();
        return this;
    }

    public LeakRecord record() {
        return record;
    }

    /** Marks the end of the owner. Must come before the memory is freed. */
    public void end() {
        if (closedAt.isEmpty()) {
            closingSite();
        }
        record.end();
        Reference.reachabilityFence(this); // or it could be taken for lost before that
    }

    /** Returns whether the place where the owner is closed is recorded. */
    public boolean recordsSites() {
        return tracker.level() == Tracking.ALL;
    }

    /**
     * Returns the end of a message about a use after now, and keeps it, while the tracker tracks
     * all owners; otherwise an empty text. Never fails.
     */
    public String closingSite() {
        if (!record.isClosed() && recordsSites()) {
            try {
                // Nothing that is linked at its first use: the Java heap may be exhausted.
                closedAt =
                        new StringBuilder("; closed by ")
                                .append(Thread.currentThread().getName())
                                .append(" at ")
                                .append(AllocationSite.nearestCaller())
                                .toString();
            } catch (Throwable _) {
                // the message is shorter: what is to be freed comes next
            }
        }
        return closedAt;
    }

    /** Returns the end of a message about a use after {@link #end}; empty if it is unknown. */
    public String closedAt() {
        return closedAt;
    }

    public void passTo(LeakReport.Kind kind) {
        record.passTo(kind);
        Reference.reachabilityFence(this);
    }
}
