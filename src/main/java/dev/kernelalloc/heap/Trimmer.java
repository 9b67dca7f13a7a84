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
 * The thread that returns idle memory to the system: one daemon thread per process, which exists
 * only while some heap holds memory. It keeps closed heaps reachable, and no others: a program that
 * has closed a heap need not keep it until other threads have released their caches of it.
 *
 * <p>A thread keeps the class loader of its code reachable. If that is not one of the JVM's own, as
 * in a web application, the thread also ends when no heap has been used for {@value #QUIET_VISITS}
 * visits, even if blocks are live or in caches of live threads; the next slow call starts it again.
 */
final class Trimmer {

    /** Memory that is idle at two visits has been idle for one to two periods. */
    private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final Queue<Supplier<@Nullable SlabHeap>> REGISTERED =
            new ConcurrentLinkedQueue<>();

    /** Twice the visits from the last use of memory until it is returned. */
    private static final int QUIET_VISITS = 4;

    /** Visits since a heap was last used. Benign race: a lost update moves the end by a visit. */
    private static volatile int quietVisits;

    private static final BackgroundThread THREAD =
            new BackgroundThread("kernel-alloc-trim", new Visits());

    private Trimmer() {}

    private static final class Visits implements BackgroundThread.Work {

        @Override
        public boolean isPending() {
            return !REGISTERED.isEmpty()
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

    /** Visits a heap from now on, until it holds no memory. */
    static void register(SlabHeap heap) {
        REGISTERED.add(heap.isClosed() ? () -> heap : new WeakReference<>(heap)::get);
        quietVisits = 0;
        THREAD.ensureRunning();
    }

    /** Starts the thread if it has ended, or could not be started. Called by each slow call. */
    static void ensureRunning() {
        if (quietVisits != 0) {
            quietVisits = 0;
        }
        if (!THREAD.isRunning() && !REGISTERED.isEmpty()) {
            THREAD.ensureRunning();
        }
    }

    /** Creates a thread without starting it, which loads the classes needed for that. */
    static Thread unstarted() {
        return THREAD.unstarted();
    }

    /** Visits every heap, even if the visit of another throws. */
    private static void visitAll() {
        Throwable failure = null;
        for (Iterator<Supplier<@Nullable SlabHeap>> all = REGISTERED.iterator(); all.hasNext(); ) {
            SlabHeap heap = all.next().get();
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
