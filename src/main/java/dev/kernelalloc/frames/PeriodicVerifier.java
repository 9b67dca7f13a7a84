package dev.kernelalloc.frames;

import dev.kernelalloc.heap.BackgroundThread;

import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/**
 * The thread that verifies all slabs of an allocator periodically; listeners receive its findings.
 * It runs while the allocator has slabs, and does not keep the allocator reachable.
 */
public final class PeriodicVerifier {

    private static final class Verifications implements BackgroundThread.Work {

        private final WeakReference<Frames> reference;
        private final long periodNanos;

        /** Rounds in a row that an exhausted Java heap has cut short; of the thread. */
        private long cutShort;

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
                cutShort++; // also where the heap has no room for the result
                if (!Verifier.wasCutShort(frames.map().verify())) {
                    long before = cutShort - 1;
                    cutShort = 0;
                    report(before);
                }
            }
        }

        /** Not earlier: a logger that is first used where the heap is exhausted stays unusable. */
        private static void report(long rounds) {
            if (rounds > 0) {
                System.getLogger("dev.kernelalloc")
                        .log(
                                System.Logger.Level.WARNING,
                                String.format(
                                        Locale.ROOT,
                                        "the Java heap was exhausted: incompleteAudits=%d, and all"
                                                + " slabs are audited again; raise -Xmx",
                                        rounds));
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
