package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.ref.WeakReference;
import java.util.Iterator;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * The thread that gives idle memory back: one for the process, a daemon, there only while some heap
 * holds memory. It keeps no heap alive, but for closed ones: who has closed a heap need not
 * remember it until other threads have given up what they hold of it.
 *
 * <p>A thread keeps the class loader of its code. Where that is not one of the JVM's own, as in a
 * web application, the thread also ends when no heap has been used for {@value #QUIET_VISITS}
 * visits, though blocks are alive or in caches of live threads; the next slow call starts it again.
 */
final class Trimmer {

    /** Idle at two visits means idle for one to two of these. */
    private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final Queue<Supplier<@Nullable Trimmed>> WATCHED = new ConcurrentLinkedQueue<>();

    /** Twice what memory takes from its last use until it is given back. */
    private static final int QUIET_VISITS = 4;

    /** Since a heap was used last. Benign race: a lost update moves the end by a visit. */
    private static volatile int quietVisits;

    private static final BackgroundThread THREAD =
            new BackgroundThread("kernel-alloc-trim", new Visits());

    private Trimmer() {}

    private static final class Visits implements BackgroundThread.Work {

        @Override
        public boolean isPending() {
            return !WATCHED.isEmpty()
                    && (!OutstandingChunks.UNLOADABLE || quietVisits < QUIET_VISITS);
        }

        @Override
        public void await() {
            LockSupport.parkNanos(Trimmer.class, PERIOD_NANOS);
        }

        @Override
        public void round() {
            if (OutstandingChunks.UNLOADABLE) {
                quietVisits++;
            }
            visitAll();
        }
    }

    /** Visits a heap from now on, until it has nothing left. */
    static void watch(Trimmed heap) {
        WATCHED.add(new WeakReference<>(heap)::get);
        quietVisits = 0;
        THREAD.ensureRunning();
    }

    /** Called at each slow call: starts the thread where it has ended, or could not be started. */
    static void ensureRunning() {
        if (quietVisits != 0) {
            quietVisits = 0;
        }
        if (!THREAD.isRunning() && !WATCHED.isEmpty()) {
            THREAD.ensureRunning();
        }
    }

    /** Visits a closed heap from now on, until it has nothing left. */
    static void watchClosed(Trimmed heap) {
        WATCHED.add(() -> heap);
        quietVisits = 0;
        THREAD.ensureRunning();
    }

    /** A thread that has not started: before there are any, what makes one is loaded with it. */
    static Thread unstarted() {
        return THREAD.unstarted();
    }

    /** Visits every heap, whatever the visit of another has thrown. */
    private static void visitAll() {
        Throwable failure = null;
        for (Iterator<Supplier<@Nullable Trimmed>> all = WATCHED.iterator(); all.hasNext(); ) {
            Trimmed heap = all.next().get();
            try {
                if (heap == null || !heap.trimIdle()) {
                    all.remove();
                }
            } catch (Throwable e) {
                failure = e;
            }
        }
        if (failure instanceof Error e) {
            throw e;
        }
        if (failure instanceof RuntimeException e) {
            throw e;
        }
    }
}
