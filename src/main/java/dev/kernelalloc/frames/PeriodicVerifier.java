package dev.kernelalloc.frames;

import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A thread that verifies all slabs of an allocator again and again; what it finds, listeners hear.
 * It keeps no allocator alive, and ends with it.
 */
public final class PeriodicVerifier {

    private PeriodicVerifier() {}

    /**
     * Starts the thread, a daemon.
     *
     * @param period from the end of one verification to the next, more than 0
     */
    public static void start(Frames frames, Duration period) {
        WeakReference<Frames> reference = new WeakReference<>(frames);
        long nanos = Math.max(1, period.toNanos());
        Thread thread =
                Thread.ofPlatform()
                        .daemon()
                        .name("kernel-alloc-verify")
                        .inheritInheritableThreadLocals(false)
                        .unstarted(() -> run(reference, nanos));
        thread.setContextClassLoader(null); // not the loader of whoever made the allocator
        thread.start();
    }

    private static void run(WeakReference<Frames> reference, long nanos) {
        do {
            LockSupport.parkNanos(nanos);
        } while (verified(reference));
    }

    /** Whether there will be something to verify later. */
    private static boolean verified(WeakReference<Frames> reference) {
        Frames frames = reference.get();
        if (frames == null || frames.isDone()) {
            return false;
        }
        try {
            frames.verify(OptionalLong.empty());
        } catch (OutOfMemoryError e) {
            return true; // next time there may be more
        }
        return true;
    }
}
