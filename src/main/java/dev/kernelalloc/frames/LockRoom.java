package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.LockBudget;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicLong;

/**
 * What may still be locked, without reading /proc each time: that takes longer than a small block
 * does. What this library locks and unlocks is added up from the last reading on; so a refusal is
 * known at once, and ends with the first slab that goes back. A changed limit is noticed at once
 * too; what others lock or unlock, after {@link #LIFETIME_NANOS}.
 *
 * <p>Where threads meet, less than what is locked may be known, never more for long: a lock is
 * counted before it is made and an unlock after it, so the lock itself decides then.
 */
final class LockRoom {

    private static final long LIFETIME_NANOS = 100_000_000;

    private record Known(LockBudget budget, long ownBytes, long limitBytes, long readNanos) {}

    private final OperatingSystem os;
    private final AtomicLong ownBytes = new AtomicLong();
    private volatile @Nullable Known known;

    LockRoom(OperatingSystem os) {
        this.os = os;
    }

    /**
     * What is locked now, and may be.
     *
     * @throws Refusal where the system does not tell
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

    /** Counts pages that are locked no more, or were not. */
    void unlocked(long bytes) {
        ownBytes.addAndGet(-bytes);
    }

    /** The system has refused a lock that was thought to fit: others have locked, or unlocked. */
    void readAgain() {
        known = null;
    }
}
