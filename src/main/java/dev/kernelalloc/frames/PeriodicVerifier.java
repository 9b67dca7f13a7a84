package dev.kernelalloc.frames;

import dev.kernelalloc.heap.BackgroundThread;

import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * The thread that verifies all slabs of an allocator periodically; listeners receive its findings.
 * It runs while the allocator has slabs, and does not keep the allocator reachable.
 */
public final class PeriodicVerifier {

    private static final class Verifications implements BackgroundThread.Work {

        private final WeakReference<Frames> reference;
        private final long periodNanos;

        Verifications(Frames frames, long periodNanos) {
            this.reference = new WeakReference<>(frames);
            this.periodNanos = periodNanos;
        }

        @Override
        public boolean isPending() {
            Frames frames = reference.get();
            return frames != null && frames.hasSlabs();
        }

        @Override
        public void await() {
            LockSupport.parkNanos(this, periodNanos);
        }

        @Override
        public void round() {
            Frames frames = reference.get();
            if (frames != null) {
                frames.verify();
            }
        }
    }

    private final BackgroundThread thread;

    private PeriodicVerifier(Verifications verifications) {
        this.thread = new BackgroundThread("kernel-alloc-verify", verifications);
    }

    /**
     * Creates the thread of an allocator; {@link #ensureRunning} starts it.
     *
     * @param frames the slabs to verify
     * @param period from the end of one verification to the next, more than 0
     */
    public static PeriodicVerifier of(Frames frames, Duration period) {
        return new PeriodicVerifier(new Verifications(frames, Math.max(1, period.toNanos())));
    }

    /** Starts the thread unless it runs: the allocator has a slab. */
    public void ensureRunning() {
        thread.ensureRunning();
    }
}
