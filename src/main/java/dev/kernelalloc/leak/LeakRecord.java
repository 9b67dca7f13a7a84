package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.Tracking;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.PhantomReference;
import java.lang.ref.WeakReference;

/**
 * The record of one owner of memory, until it ends, or until it is found lost. One of the two
 * happens, once.
 */
public final class LeakRecord extends PhantomReference<Sentinel> implements LeakDetector.Dropped {

    /** The owner that can end the tracked memory; changes as memory changes hands. */
    private record Holder(
            LeakReport.Kind kind, String name, long id, WeakReference<Thread> thread) {

        static Holder now(LeakReport.Kind kind) {
            Thread thread = Thread.currentThread();
            return new Holder(
                    kind, thread.getName(), thread.threadId(), new WeakReference<>(thread));
        }

        boolean hasEnded() {
            Thread alive = thread.get();
            return alive == null || !alive.isAlive();
        }
    }

    private static final VarHandle STATE;
    private static final VarHandle BYTES;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            STATE = lookup.findVarHandle(LeakRecord.class, "state", int.class);
            BYTES = lookup.findVarHandle(LeakRecord.class, "bytes", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static final int ALIVE = 0;
    private static final int ENDED = 1;
    private static final int LOST = 2;

    /** Null once it is closed, as is the site: both lead to classes of the owner's program. */
    private volatile @Nullable Tracker tracker;

    private volatile @Nullable AllocationSite site;
    private volatile Holder holder;
    private volatile long address;
    private volatile long bytes;
    private volatile int state;

    /** The place of the record in {@link LeakRecords}, and the next older record there. */
    final int stripe = LeakRecords.ALL.stripeOfThread();

    @Nullable LeakRecord older;

    LeakRecord(Sentinel sentinel, Tracker tracker, LeakReport.Kind kind, long address, long bytes) {
        super(sentinel, LeakDetector.DROPPED);
        this.tracker = tracker;
        this.site =
                tracker.level() == Tracking.ALL ? AllocationSite.full() : AllocationSite.nearest();
        this.holder = Holder.now(kind);
        this.address = address;
        this.bytes = bytes;
    }

    @Override
    public void found() {
        LeakDetector.lost(this);
    }

    /** Returns whether the owner uses memory itself, rather than serving others with it. */
    boolean ownsMemory() {
        return holder.kind != LeakReport.Kind.ALLOCATOR;
    }

    /** Returns the tracker of the owner; null once this is closed. */
    @Nullable Tracker tracker() {
        return tracker;
    }

    /**
     * The memory has a new owner: the calling thread, or all. Never fails, as the memory has
     * changed hands already: where the Java heap or stack is exhausted, the record keeps the owner
     * before.
     */
    void passTo(LeakReport.Kind kind) {
        try {
            holder = Holder.now(kind);
        } catch (OutOfMemoryError | StackOverflowError _) {
            // reported under the name of the owner before
        }
    }

    /** Records a new address of the memory. */
    public void move(long newAddress, long newBytes) {
        address = newAddress;
        bytes = newBytes;
    }

    /** There is one more block. */
    public void add(long blockAddress, long blockBytes) {
        if (address == 0) {
            address = blockAddress; // of one of the first
        }
        add(blockBytes);
    }

    /** There is more memory, or less. */
    void add(long more) {
        BYTES.getAndAdd(this, more);
    }

    /** Ends the record: the owner frees the memory, or leaves it to another. */
    void end() {
        Tracker tracked = close(ENDED);
        if (tracked != null && ownsMemory()) {
            EventRecorder.ended(tracked.tag(), holder.kind, address, bytes);
        }
    }

    /** Returns who tracked the owner to the one caller that is to report it; null to others. */
    @Nullable Tracker lose() {
        return close(LOST);
    }

    /** The record may stay in {@link LeakRecords} for long, and must pin no class loader there. */
    private @Nullable Tracker close(int outcome) {
        Tracker tracked = tracker;
        if (!STATE.compareAndSet(this, ALIVE, outcome)) {
            return null;
        }
        tracker = null;
        site = null;
        clear(); // so that the collector need not look at it
        LeakRecords.ALL.closed(this);
        return tracked;
    }

    /** Whether it has ended, or was found to be lost. */
    boolean isClosed() {
        return state != ALIVE;
    }

    /** Returns whether no thread can end it any more, though it may be reachable. */
    boolean isOrphaned() {
        Holder now = holder;
        return now.kind.isConfined() && now.hasEnded();
    }

    /** Whether there is memory to lose: an arena or an allocator may have taken none. */
    boolean holdsMemory() {
        return address != 0 || bytes != 0;
    }

    /** The owner is known of from now on. */
    void begin(Tracker by) {
        LeakRecords.ALL.add(this);
        if (ownsMemory()) {
            EventRecorder.tracked(by.tag(), holder.kind, address, bytes);
        }
    }

    /** Describes the owner; null once it is closed. */
    @Nullable LeakReport report() {
        Tracker by = tracker;
        AllocationSite made = site;
        Holder last = holder;
        if (by == null || made == null) {
            return null;
        }
        return new LeakReport(
                last.kind,
                by.tag(),
                address,
                bytes,
                made.callers(),
                last.name,
                last.id,
                last.hasEnded());
    }
}
