package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.LockBudget;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Computes what may still be locked without reading /proc each time, which would take longer than
 * preparing a small block. Locks and unlocks of this library are added to the last reading, so a
 * refusal costs no file and ends when the first slab is released. A changed limit is noticed at
 * once, locks of other code after {@link #LIFETIME_NANOS}.
 *
 * <p><b>Concurrency.</b> A lock is counted before it is made and an unlock after it. A reading in
 * between may therefore underestimate what is locked; then mlock itself refuses.
 */
final class LockHeadroom {

    private static final long LIFETIME_NANOS = 100_000_000;

    private record Known(LockBudget budget, long ownBytes, long limitBytes, long readNanos) {}

    private final OperatingSystem os;
    private final AtomicLong ownBytes = new AtomicLong();
    private volatile @Nullable Known known;

    LockHeadroom(OperatingSystem os) {
        this.os = os;
    }

    /**
     * Returns what is locked now and what may be.
     *
     * @throws Refusal where the system does not report it
     */
    LockBudget budget() throws Refusal {
        long limit = os.lockLimitBytes();
        Known last = known;
        if (last == null
                || last.limitBytes != limit
                || System.nanoTime() - last.readNanos > LIFETIME_NANOS) {
            long own = ownBytes.get();
            last = new Known(os.lockBudget(), own, limit, System.nanoTime());
            known = last;
        }
        LockBudget read = last.budget;
        long locked = Math.max(0, read.lockedBytes() + ownBytes.get() - last.ownBytes);
        return new LockBudget(locked, read.softLimitBytes(), read.hardLimitBytes(), read.exempt());
    }

    /** Counts pages that are about to be locked. */
    void locking(long bytes) {
        ownBytes.addAndGet(bytes);
    }

    /** Counts pages that are no longer locked, or were refused. */
    void unlocked(long bytes) {
        ownBytes.addAndGet(-bytes);
    }

    /** Discards the last reading: mlock has refused what seemed to fit. */
    void readAgain() {
        known = null;
    }
}
