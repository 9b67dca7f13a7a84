package dev.kernelalloc.heap;

import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/**
 * A daemon thread that exists only while it has work. All threads of the library are of this class.
 *
 * <p><b>Life.</b> {@link #ensureRunning} starts the thread if it is not running; the thread ends
 * once {@link Work#isPending} is false. A caller first adds work, then calls {@code ensureRunning};
 * the thread first declares its end, then checks for work once more. So either the caller sees that
 * the thread has ended, or the thread sees the work.
 *
 * <p><b>Robustness.</b> An interrupt is cleared before each wait, so it shortens one wait at most.
 * An exception thrown by a round is logged, and the next round follows after a pause. An {@link
 * OutOfMemoryError} is not logged: a logger class that is first used while the Java heap is
 * exhausted would be unusable for the rest of the process.
 *
 * <p><b>Isolation.</b> The thread inherits nothing from the thread that happens to start it:
 * neither its thread group, its inheritable thread locals, its context class loader nor its
 * priority. It refers to its work and to nothing else of the program.
 */
public final class BackgroundThread {

    /** The work of a thread. All methods run on that thread. */
    public interface Work {

        /** Returns whether there is work, due now or later. */
        boolean isPending();

        /**
         * Waits until the next round is due.
         *
         * @throws InterruptedException when interrupted, which is ignored
         */
        void await() throws InterruptedException;

        /** Executes one round. */
        void round();
    }

    /** Whether the library may be unloaded, which any running thread of it prevents. */
    public static final boolean IS_UNLOADABLE = OutstandingChunks.UNLOADABLE;

    /** The pause after a failure, so that a recurring one does not keep a processor busy. */
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final String name;
    private final Work work;
    private final AtomicBoolean running = new AtomicBoolean();
    private long failures; // of the thread

    /**
     * Creates a thread without starting it.
     *
     * @param name the name of the thread
     * @param work the work that it executes
     */
    public BackgroundThread(String name, Work work) {
        this.name = name;
        this.work = work;
    }

    /** Returns whether the thread runs or is about to start. */
    public boolean isRunning() {
        return running.get();
    }

    /**
     * Starts the thread unless it runs. If the system cannot create a thread, nothing happens; the
     * next call tries again.
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

    /** Creates the thread without starting it, which loads the classes needed for that. */
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
            Thread.interrupted(); // otherwise the wait would end at once
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
