package dev.kernelalloc.frames;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.LockBudget;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Checks of what is left before memory is taken: beyond some limits the kernel does not refuse, it
 * kills. The checks make that unlikely, not impossible: other processes take memory in the same
 * moment. Threads of this one are counted, and so is the Java heap that is committed and not yet
 * touched: the collector takes that without asking.
 */
public final class Preflight {

    /** The bytes populated between two checks. */
    static final long STEP_BYTES = 16L << 20;

    /**
     * The bytes that may be taken without a check, which costs as much as populating some dozens of
     * pages.
     */
    private static final long UNCHECKED_BYTES = 1L << 20;

    /** Left to everyone else. */
    private static final long RESERVE_BYTES = 16L << 20;

    /** The part of a group's limit to keep, if that is less. */
    private static final int RESERVE_SHARE = 8;

    private final OperatingSystem os;

    /** Bytes taken since the last check that found enough. */
    private final AtomicLong uncheckedBytes = new AtomicLong();

    /** Bytes that threads are taking at this moment. */
    private final AtomicLong enteredBytes = new AtomicLong();

    private final LockHeadroom lockHeadroom;

    private Preflight(OperatingSystem os) {
        this.os = os;
        this.lockHeadroom = new LockHeadroom(os);
    }

    private static final class OfProcess {
        static final Preflight INSTANCE = new Preflight(Platform.current());
    }

    /** Returns the checks of a system; all allocators of the process share those of its own. */
    public static Preflight of(OperatingSystem os) {
        return os == Platform.current() ? OfProcess.INSTANCE : new Preflight(os);
    }

    /** Returns the node that all pages of a request must be of; empty for any. */
    static OptionalInt requiredNode(PhysicalRequest request) {
        return request.nodeRequired() ? request.node() : OptionalInt.empty();
    }

    /**
     * Begins to take memory of any node, as {@link #enter(long, OptionalInt)}.
     *
     * @throws Refusal as there
     */
    void enter(long bytes) throws Refusal {
        enter(bytes, OptionalInt.empty());
    }

    /**
     * Begins to take memory; {@link #exit} ends it. Little is checked only when it has come to
     * {@link #UNCHECKED_BYTES}, and after a refusal each time until there is enough again.
     *
     * @throws Refusal when the machine, or a group of processes that this one belongs to, has not
     *     as much left
     */
    void enter(long bytes, OptionalInt requiredNode) throws Refusal {
        long othersBytes = enteredBytes.getAndAdd(bytes);
        if (uncheckedBytes.addAndGet(bytes) < UNCHECKED_BYTES) {
            return;
        }
        try {
            checkAvailable(bytes, othersBytes, requiredNode);
        } catch (Refusal | RuntimeException | Error e) {
            exit(bytes);
            throw e;
        }
        uncheckedBytes.set(0); // not before: what follows a refusal is checked too
    }

    /** Ends what {@link #enter} has begun, whether memory was taken or not. */
    void exit(long bytes) {
        enteredBytes.addAndGet(-bytes);
    }

    /**
     * Refuses early what will be entered in parts; one part alone is checked when it is entered.
     */
    void requireMemory(long bytes, OptionalInt requiredNode) throws Refusal {
        if (bytes > STEP_BYTES) {
            checkAvailable(bytes, enteredBytes.get(), requiredNode);
        }
    }

    private void checkAvailable(long bytes, long othersBytes, OptionalInt requiredNode)
            throws Refusal {
        if (requiredNode.isPresent()) {
            checkNode(bytes, othersBytes, requiredNode.getAsInt());
        }
        long available = availableBytes();
        if (exceeds(bytes, othersBytes, available - RESERVE_BYTES)) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "%d bytes of memory that stays: the machine has about %d bytes left%s,"
                                    + " and taking them would end a process. Ask for less, or free"
                                    + " memory first",
                            bytes,
                            available,
                            othersText(othersBytes)));
        }
        long heapBytes = Runtime.getRuntime().totalMemory();
        long enoughBytes = saturated(saturated(bytes, othersBytes), RESERVE_BYTES + heapBytes);
        for (MemoryGroup group : os.memoryGroups(enoughBytes)) {
            long reserve = Math.min(RESERVE_BYTES, group.limitBytes() / RESERVE_SHARE);
            if (exceeds(bytes, othersBytes, group.availableBytes() - reserve)) {
                throw new Refusal.OutOfMemory(
                        String.format(
                                Locale.ROOT,
                                "%d bytes of memory that stays: the control group %s may use %d"
                                    + " bytes and uses %d, of which %d could be taken back%s;"
                                    + " beyond its limit the kernel would kill this process. Ask"
                                    + " for less, lower -Xmx, or raise the limit (memory.max,"
                                    + " docker run --memory)",
                                bytes,
                                group.name(),
                                group.limitBytes(),
                                group.usedBytes(),
                                group.reclaimableBytes(),
                                othersText(othersBytes)));
            }
        }
    }

    private static long saturated(long bytes, long more) {
        return bytes > Long.MAX_VALUE - more ? Long.MAX_VALUE : bytes + more;
    }

    /** Pages bound to a node come from it alone: when it has none left, the kernel kills. */
    private void checkNode(long bytes, long othersBytes, int node) throws Refusal {
        long available;
        try {
            available = os.availableBytesOfNode(node);
        } catch (Refusal unknown) {
            return;
        }
        if (exceeds(bytes, othersBytes, available - RESERVE_BYTES)) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "%d bytes of memory that stays, of node %d alone: the node has about %d"
                                    + " bytes left%s, and taking them would end a process. Ask for"
                                    + " less, free memory first, or prefer the node instead of"
                                    + " requiring it",
                            bytes,
                            node,
                            available,
                            othersText(othersBytes)));
        }
    }

    /** Any number without /proc/meminfo: a check that is impossible refuses nothing. */
    private long availableBytes() {
        try {
            return os.availableBytes();
        } catch (Refusal unknown) {
            return Long.MAX_VALUE;
        }
    }

    /** Measuring the heap takes milliseconds, and is needed only when little is left. */
    private boolean exceeds(long bytes, long othersBytes, long leftBytes) {
        long left = leftBytes - othersBytes - bytes;
        return left < 0
                || left < Runtime.getRuntime().totalMemory() && left < os.untouchedHeapBytes();
    }

    private String othersText(long othersBytes) {
        return String.format(
                Locale.ROOT,
                ", the Java heap may still take %d without asking, and other threads are taking %d",
                os.untouchedHeapBytes(),
                othersBytes);
    }

    /** Refuses what may not be locked; where the budget is unknown, mlock itself refuses. */
    void requireLockable(long bytes) throws Refusal {
        LockBudget budget;
        try {
            budget = lockHeadroom.budget();
        } catch (Refusal unknown) {
            return;
        }
        if (bytes > budget.remainingBytes()) {
            throw budget.exceeded("locking " + bytes + " bytes", "locked", "lock");
        }
    }

    /** Locks pages, until {@link #unlocked}. */
    void lock(long address, long bytes, MemorySegment callState) throws Refusal {
        lock(NativeMemory.segment(address, bytes), callState);
    }

    /** The same of pages that the program may unmap, as {@link OperatingSystem#lock}. */
    void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        long bytes = memory.byteSize();
        lockHeadroom.locking(bytes);
        try {
            os.lock(memory, callState);
        } catch (Refusal | RuntimeException | Error e) {
            lockHeadroom.unlocked(bytes);
            lockHeadroom.readAgain();
            throw e;
        }
    }

    /** Counts pages that the system locks by itself. */
    void lockedBySystem(long bytes) {
        lockHeadroom.locking(bytes);
    }

    /** Counts locked pages that were released. */
    void unlocked(long bytes) {
        lockHeadroom.unlocked(bytes);
    }

    /**
     * Refuses pages that may not be pinned; for few bytes, or if the limit is unknown, the pin
     * itself does.
     */
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
            throw budget.exceeded(
                    String.format(Locale.ROOT, "pinning %d bytes", bytes), "pinned", "pin");
        }
    }

    /** Returns the bytes that may still be locked; unlimited if unknown. */
    long lockableBytes() {
        try {
            return lockHeadroom.budget().remainingBytes();
        } catch (Refusal unknown) {
            return Long.MAX_VALUE;
        }
    }
}
