package dev.kernelalloc.heap;

import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/**
 * A daemon thread that exists only while it has work: every thread of the library is one.
 *
 * <p><b>Life.</b> {@link #ensureRunning} starts the thread where there is none; it ends once {@link
 * Work#isPending} is false. A caller first adds work, then calls {@code ensureRunning}; the thread
 * first declares its end, then looks for work once more. So either the caller sees the thread
 * ended, or the thread sees the work.
 *
 * <p><b>Robustness.</b> An interrupt is cleared before each wait, so it shortens one wait at most.
 * Whatever a round throws is logged and the next round follows, after a pause. An {@link
 * OutOfMemoryError} is not logged: a class of the logger that is first used while the Java heap is
 * exhausted would be lost to the process.
 *
 * <p><b>Isolation.</b> The thread inherits nothing from the thread that happens to start it:
 * neither its thread group, its inheritable thread locals, its context class loader nor its
 * priority. It refers to its work and to nothing else of the program.
 */
public final class BackgroundThread {

    /** What a thread does. All methods run on that thread. */
    public interface Work {

        /** Returns whether there is something to do, now or later. */
        boolean isPending();

        /**
         * Waits until the next round is due.
         *
         * @throws InterruptedException when interrupted, which is ignored
         */
        void await() throws InterruptedException;

        /** Does what is due. */
        void round();
    }

    /** Whether the library may be unloaded, which every running thread of it prevents. */
    public static final boolean IS_UNLOADABLE = OutstandingChunks.UNLOADABLE;

    /** After a failure, so that one that repeats does not keep a processor busy. */
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final String name;
    private final Work work;
    private final AtomicBoolean running = new AtomicBoolean();
    private long failures; // of the thread

    /**
     * Creates a thread that does not run yet.
     *
     * @param name the name of the thread
     * @param work what it does while it runs
     */
    public BackgroundThread(String name, Work work) {
        this.name = name;
        this.work = work;
    }

    /** Returns whether the thread runs, or is about to start. */
    public boolean isRunning() {
        return running.get();
    }

    /**
     * Starts the thread unless it runs. Where the system has no thread to spare, nothing happens:
     * the next call tries again.
     */
    public void ensureRunning() {
        if (!running.get() && running.compareAndSet(false, true)) {
            start();
        }
    }

    private void start() {
        try {
            unstarted().start();
        } catch (OutOfMemoryError e) {
            running.set(false);
        } catch (Throwable e) {
            running.set(false);
            throw e;
        }
    }

    /** Creates the thread without starting it, which loads the classes that takes. */
    Thread unstarted() {
        Thread thread =
                Thread.ofPlatform()
                        .daemon()
                        .name(name)
                        .group(rootGroup())
                        .priority(Thread.NORM_PRIORITY)
                        .inheritInheritableThreadLocals(false)
                        .unstarted(this::run);
        thread.setContextClassLoader(null);
        return thread;
    }

    private static ThreadGroup rootGroup() {
        ThreadGroup group = Thread.currentThread().getThreadGroup();
        while (group.getParent() != null) {
            group = group.getParent();
        }
        return group;
    }

    private void run() {
        do {
            while (isPending()) {
                round();
            }
            running.set(false);
        } while (isPending() && running.compareAndSet(false, true));
    }

    private boolean isPending() {
        try {
            return work.isPending();
        } catch (Throwable e) {
            failed(e);
            return true;
        }
    }

    private void round() {
        try {
            Thread.interrupted(); // or the wait would end at once
            work.await();
            work.round();
        } catch (InterruptedException _) {
            // meant for whatever else runs on threads of the program
        } catch (Throwable e) {
            failed(e);
        }
    }

    /** Logs the first failure, the second, the fourth and so on. */
    private void failed(Throwable failure) {
        if (!(failure instanceof OutOfMemoryError) && Long.bitCount(++failures) == 1) {
            log(failure);
        }
        Thread.interrupted();
        LockSupport.parkNanos(this, PAUSE_NANOS);
    }

    private void log(Throwable failure) {
        try {
            System.getLogger("dev.kernelalloc")
                    .log(
                            System.Logger.Level.WARNING,
                            String.format(
                                    Locale.ROOT,
                                    "thread %s failed: failures=%d; it goes on",
                                    name,
                                    failures),
                            failure);
        } catch (Throwable _) {
            // the Java heap or stack is exhausted, or the logger has failed too
        }
    }
}
