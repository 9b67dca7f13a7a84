package dev.kernelalloc;

import dev.kernelalloc.heap.BackgroundThread;

import org.jspecify.annotations.Nullable;

import java.lang.System.Logger.Level;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The thread that reports leaks: one for the process, which runs while any owner is tracked. The
 * collector enqueues what was dropped; owners in reach of the program that have outlived their
 * thread are found by a look at all records.
 */
final class LeakWatch {

    static final String LOGGER = "dev.kernelalloc.leaks";

    /** Where the collector puts the record of a sentinel that was dropped. */
    static final ReferenceQueue<Sentinel> DROPPED = new ReferenceQueue<>();

    private static final long PERIOD_MILLIS = TimeUnit.SECONDS.toMillis(1);

    private static final BackgroundThread THREAD =
            new BackgroundThread("kernel-alloc-leaks", new Watching());

    private LeakWatch() {}

    private static final class Watching implements BackgroundThread.Work {

        private @Nullable Reference<? extends Sentinel> dropped;

        @Override
        public boolean isPending() {
            if (LeakRecords.ALL.hasAlive()) {
                return true;
            }
            while (DROPPED.poll() != null) {
                // over: the collector found it in the moment of its end
            }
            return false;
        }

        @Override
        public void await() throws InterruptedException {
            dropped = DROPPED.remove(PERIOD_MILLIS);
        }

        @Override
        public void round() {
            if (dropped instanceof LeakRecord record) {
                dropped = null; // also where the report fails: the next look finds it again
                lost(record);
            } else {
                LeakRecords.ALL.forEach(LeakWatch::look);
            }
        }
    }

    static void ensureRunning() {
        THREAD.ensureRunning();
    }

    private static void look(LeakRecord record) {
        if (record.isOrphaned() || record.refersTo(null)) {
            lost(record);
        }
    }

    private static void lost(LeakRecord record) {
        if (!record.holdsMemory()) {
            record.end();
            return;
        }
        LeakReport report = record.report(); // first: it may find the Java heap full
        Tracker tracker = report == null ? null : record.lose();
        if (tracker != null) {
            tell(report, tracker);
        }
    }

    /** The one place where all are told; none of them keeps it from another. */
    private static void tell(LeakReport report, Tracker tracker) {
        long times = tracker.countLost(report);
        if (Long.bitCount(times) == 1) { // the first, second, fourth, ... of one place
            String before = times == 1 ? "" : "\n    lost from there so far: " + times;
            attempt(report, () -> logger().log(Level.WARNING, report + before));
        }
        Journal.leaked(report);
        for (Consumer<LeakReport> listener : tracker.listeners()) {
            attempt(report, () -> listener.accept(report));
        }
    }

    private static void attempt(LeakReport report, Runnable telling) {
        try {
            telling.run();
        } catch (Throwable e) { // also an assertion of a test, or a class that is missing
            try {
                logger().log(Level.WARNING, "a listener failed, told " + report, e);
            } catch (Throwable _) {
                // closing the allocator still tells of it
            }
        }
    }

    private static System.Logger logger() {
        return System.getLogger(LOGGER);
    }
}
