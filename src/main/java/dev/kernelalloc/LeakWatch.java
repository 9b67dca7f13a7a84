package dev.kernelalloc;

import java.lang.System.Logger.Level;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * The thread that tells of what is lost: one for the process, a daemon, from the first record on.
 * The collector tells it of what was dropped; owners in reach of the program that have outlived
 * their thread it looks for itself.
 */
final class LeakWatch {

    static final String LOGGER = "dev.kernelalloc.leaks";

    /** Where the collector puts the record of a sentinel that was dropped. */
    static final ReferenceQueue<Sentinel> DROPPED = new ReferenceQueue<>();

    private static final long PERIOD_MILLIS = TimeUnit.SECONDS.toMillis(1);
    private static final AtomicBoolean RUNNING = new AtomicBoolean();

    private LeakWatch() {}

    static void ensureRunning() {
        if (!RUNNING.get() && RUNNING.compareAndSet(false, true)) {
            start();
        }
    }

    private static void start() {
        try {
            Thread thread =
                    Thread.ofPlatform()
                            .daemon()
                            .name("kernel-alloc-leaks")
                            .inheritInheritableThreadLocals(false)
                            .unstarted(LeakWatch::run);
            thread.setContextClassLoader(null); // not the loader of whoever allocated first
            thread.start();
        } catch (OutOfMemoryError e) {
            RUNNING.set(false); // no thread can be had now: the next record tries again
        }
    }

    private static void run() {
        try {
            while (true) {
                watch();
            }
        } finally {
            RUNNING.set(false); // whatever ends this thread, the next record starts another
        }
    }

    private static void watch() {
        try {
            Reference<? extends Sentinel> dropped = DROPPED.remove(PERIOD_MILLIS);
            if (dropped instanceof LeakRecord record) {
                lost(record);
            } else {
                LeakRecords.ALL.forEach(LeakWatch::look);
            }
        } catch (InterruptedException _) {
            // whoever did that meant another thread
        } catch (OutOfMemoryError _) {
            // the next look finds what was missed, and there may be more memory then
        }
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
        if (record.lose()) {
            tell(report, record.tracker());
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
