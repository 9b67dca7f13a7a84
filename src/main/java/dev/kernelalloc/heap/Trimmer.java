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
 */
final class Trimmer {

    /** Idle at two visits means idle for one to two of these. */
    private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final Queue<Supplier<@Nullable Trimmed>> WATCHED = new ConcurrentLinkedQueue<>();

    private static final BackgroundThread THREAD =
            new BackgroundThread("kernel-alloc-trim", new Visits());

    private Trimmer() {}

    private static final class Visits implements BackgroundThread.Work {

        @Override
        public boolean isPending() {
            return !WATCHED.isEmpty();
        }

        @Override
        public void await() {
            LockSupport.parkNanos(Trimmer.class, PERIOD_NANOS);
        }

        @Override
        public void round() {
            visitAll();
        }
    }

    /** Visits a heap from now on, until it has nothing left. */
    static void watch(Trimmed heap) {
        WATCHED.add(new WeakReference<>(heap)::get);
        THREAD.ensureRunning();
    }

    /** Tries again where no thread could be had. */
    static void ensureRunning() {
        if (!THREAD.isRunning() && !WATCHED.isEmpty()) {
            THREAD.ensureRunning();
        }
    }

    /** Visits a closed heap from now on, until it has nothing left. */
    static void watchClosed(Trimmed heap) {
        WATCHED.add(() -> heap);
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
