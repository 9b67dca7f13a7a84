package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;

import java.lang.ref.Reference;

/**
 * Stands guard for an owner of memory that is tracked: the owner holds it, and who has lost the
 * owner has lost it too. References of the collector point here, never to the owner, so that an
 * owner that is not tracked stays an object that the JIT may remove.
 */
public final class Sentinel {

    private final Tracker tracker;
    private final LeakRecord record;

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
        record.end();
        Reference.reachabilityFence(this); // or it could be taken for lost before that
    }

    public void passTo(LeakReport.Kind kind) {
        record.passTo(kind);
        Reference.reachabilityFence(this);
    }
}
