package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.LockBudget;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;
import dev.kernelalloc.os.Refusal;

import java.util.concurrent.atomic.AtomicLong;

/**
 * A look at what is left before memory is taken: beyond some limits the kernel does not refuse, it
 * kills. The look makes that unlikely, not impossible: others take memory in the same moment.
 */
final class Preflight {

    /** What is populated between two looks. */
    static final long STEP_BYTES = 16L << 20;

    /** What may be taken without a look: it costs as much as populating some dozens of pages. */
    private static final long UNCHECKED_BYTES = 1L << 20;

    /** Left to everyone else. */
    private static final long RESERVE_BYTES = 16L << 20;

    /** Of a group's limit, where that is less. */
    private static final int RESERVE_SHARE = 16;

    private final OperatingSystem os;
    private final AtomicLong uncheckedBytes = new AtomicLong();

    Preflight(OperatingSystem os) {
        this.os = os;
    }

    /** Refuses what the machine, or a group of processes that this one belongs to, has not left. */
    void requireMemory(long bytes) throws Refusal {
        if (uncheckedBytes.addAndGet(bytes) < UNCHECKED_BYTES) {
            return;
        }
        uncheckedBytes.set(0);
        look(os, bytes);
    }

    /** The same, of little too. */
    static void look(OperatingSystem os, long bytes) throws Refusal {
        long available = os.availableBytes();
        if (bytes > available - RESERVE_BYTES) {
            throw new Refusal.OutOfMemory(
                    ("%d bytes of memory that stays: the machine has about %d bytes left, and"
                         + " taking them would end a process. Ask for less, or free memory first")
                            .formatted(bytes, available));
        }
        for (MemoryGroup group : os.memoryGroups()) {
            long reserve = Math.min(RESERVE_BYTES, group.limitBytes() / RESERVE_SHARE);
            if (bytes > group.availableBytes() - reserve) {
                throw new Refusal.OutOfMemory(
                        ("%d bytes of memory that stays: the control group %s may use %d bytes and"
                             + " uses %d, of which %d could be taken back; beyond its limit the"
                             + " kernel would kill this process. Ask for less, or raise the limit"
                             + " (memory.max, docker run --memory)")
                                .formatted(
                                        bytes,
                                        group.name(),
                                        group.limitBytes(),
                                        group.usedBytes(),
                                        group.reclaimableBytes()));
            }
        }
    }

    /** Refuses what may not be locked; of little, and where nobody tells, the lock itself does. */
    void requireLockable(long bytes) throws Refusal {
        if (bytes < UNCHECKED_BYTES) {
            return;
        }
        LockBudget budget;
        try {
            budget = os.lockBudget();
        } catch (Refusal unknown) {
            return;
        }
        if (bytes > budget.remainingBytes()) {
            throw budget.exceeded("locking %d bytes".formatted(bytes), "locked", "lock");
        }
    }

    /** Refuses what may not be pinned; of little, and where nobody tells, the pin itself does. */
    void requirePinnable(long bytes) throws Refusal {
        if (bytes < UNCHECKED_BYTES) {
            return;
        }
        LockBudget budget;
        try {
            budget = os.pinBudget();
        } catch (Refusal unknown) {
            return;
        }
        if (bytes > budget.remainingBytes()) {
            throw budget.exceeded("pinning %d bytes".formatted(bytes), "pinned", "pin");
        }
    }

    /** Bytes that may still be locked; all there are where nobody tells. */
    long lockableBytes() {
        try {
            return os.lockBudget().remainingBytes();
        } catch (Refusal unknown) {
            return Long.MAX_VALUE;
        }
    }
}
