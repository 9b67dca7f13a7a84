package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.heap.BackgroundThread;

import org.jspecify.annotations.Nullable;

import java.lang.System.Logger.Level;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The thread that reports leaks: one per process, which runs while any owner is tracked. The
 * collector enqueues dropped owners; reachable owners that have outlived their thread are found by
 * a scan of all records.
 *
 * <p>A thread keeps the class loader of its code. If that can be unloaded, as in a web application,
 * allocators alone, which a static field may hold, do not keep the thread: it ends {@value
 * #QUIET_ROUNDS} rounds after the last tracked event, and scans for dropped allocators when it runs
 * again.
 */
public final class LeakDetector {

    static final String LOGGER = "dev.kernelalloc.leaks";

    /** The queue of the collector for references to dropped objects. */
    static final ReferenceQueue<Object> DROPPED = new ReferenceQueue<>();

    /** An entry of the queue. */
    interface Dropped {

        /** Called by the thread of this class, once. */
        void found();
    }

    private static final long PERIOD_MILLIS = TimeUnit.SECONDS.toMillis(1);

    private static final int QUIET_ROUNDS = 4;

    /** Since something was tracked last. Benign race: a lost update moves the end by a round. */
    private static volatile int quietRounds;

    private static final BackgroundThread THREAD =
            new BackgroundThread("kernel-alloc-leaks", new Watching());

    private LeakDetector() {}

    private static final class Watching implements BackgroundThread.Work {

        private @Nullable Reference<?> dropped;

        @Override
        public boolean isPending() {
            if (LeakRecords.ALL.hasAlive(true)) {
                return true;
            }
            boolean guarding = AllocatorGuard.isAnyGuarded() || LeakRecords.ALL.hasAlive(false);
            if (guarding && (!BackgroundThread.IS_UNLOADABLE || quietRounds < QUIET_ROUNDS)) {
                return true;
            }
            while (DROPPED.poll() != null) {
                // closed: the collector found it in the moment of its end
            }
            return false;
        }

        @Override
        public void await() throws InterruptedException {
            dropped = DROPPED.remove(PERIOD_MILLIS);
        }

        @Override
        public void round() {
            quietRounds++;
            if (dropped instanceof Dropped found) {
                dropped = null; // even if it fails: the next scan finds a record again
                found.found();
            } else {
                LeakRecords.ALL.forEach(LeakDetector::check);
            }
        }
    }

    static void ensureRunning() {
        quietRounds = 0;
        THREAD.ensureRunning();
    }

    private static void check(LeakRecord record) {
        if (record.isOrphaned() || record.refersTo(null)) {
            lost(record);
        }
    }

    /** Reports a record, unless it is closed or holds no memory. */
    static void lost(LeakRecord record) {
        if (!record.holdsMemory()) {
            record.end();
            return;
        }
        LeakReport report = record.report(); // first: it may find the Java heap full
        Tracker tracker = report == null ? null : record.lose();
        if (tracker != null) {
            report(report, tracker);
        }
    }

    /** Calls all listeners; an exception of one does not affect the others. */
    private static void report(LeakReport report, Tracker tracker) {
        long times = tracker.countLost(report);
        if (Long.bitCount(times) == 1) { // the first, second, fourth, ... of one place
            String before = times == 1 ? "" : "\n    lost from there so far: " + times;
            runLogged(report, () -> logger().log(Level.WARNING, report + before));
        }
        EventRecorder.leaked(report);
        for (Consumer<LeakReport> listener : tracker.listeners()) {
            runLogged(report, () -> listener.accept(report));
        }
    }

    private static void runLogged(LeakReport report, Runnable telling) {
        try {
            telling.run();
        } catch (Throwable e) { // also an assertion of a test, or a class that is missing
            try {
                logger().log(Level.WARNING, "a listener failed for " + report, e);
            } catch (Throwable _) {
                // closing the allocator still reports it
            }
        }
    }

    private static System.Logger logger() {
        return System.getLogger(LOGGER);
    }
}
