package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.ref.WeakReference;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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
    private static final AtomicBoolean RUNNING = new AtomicBoolean();

    private Trimmer() {}

    /** Visits a heap from now on, until it has nothing left. */
    static void watch(Trimmed heap) {
        WATCHED.add(new WeakReference<>(heap)::get);
        start();
    }

    /** Tries again where no thread could be had, or where it has died. */
    static void ensureRunning() {
        if (!RUNNING.get()) {
            start();
        }
    }

    /** Visits a closed heap from now on, until it has nothing left. */
    static void watchClosed(Trimmed heap) {
        WATCHED.add(() -> heap);
        start();
    }

    private static void start() {
        if (!RUNNING.compareAndSet(false, true)) {
            return;
        }
        try {
            unstarted().start();
        } catch (OutOfMemoryError e) {
            RUNNING.set(false); // no thread can be had now: the next slow call tries again
        }
    }

    /** A thread that has not started: before there are any, what makes one is loaded with it. */
    static Thread unstarted() {
        Thread thread =
                Thread.ofPlatform()
                        .daemon()
                        .name("kernel-alloc-trim")
                        .inheritInheritableThreadLocals(false)
                        .unstarted(Trimmer::run);
        thread.setContextClassLoader(null); // not the loader of whoever allocated first
        return thread;
    }

    private static void run() {
        do {
            try {
                while (!WATCHED.isEmpty()) {
                    Thread.interrupted(); // or it would not park any more
                    LockSupport.parkNanos(PERIOD_NANOS);
                    visitAll();
                }
            } finally {
                RUNNING.set(false); // whatever ends this thread, the next heap starts another
            }
        } while (!WATCHED.isEmpty() && RUNNING.compareAndSet(false, true));
    }

    private static void visitAll() {
        try {
            WATCHED.removeIf(Trimmer::isDone);
        } catch (OutOfMemoryError e) {
            return; // at the next visit there may be more
        }
    }

    private static boolean isDone(Supplier<@Nullable Trimmed> reference) {
        Trimmed heap = reference.get();
        return heap == null || !heap.trimIdle();
    }
}
