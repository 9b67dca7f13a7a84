package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToLongFunction;

/**
 * The limit on what an allocator and its children obtain from the system together. Safe to use from
 * any thread, without locks except to change the limit.
 *
 * <p><b>Never over the limit.</b> The counter is how much is <i>left</i>: a charge is one exchange
 * of that counter, and a change of the limit one addition to it, so no charge ever sees an outdated
 * limit. A charge proceeds up the chain of parents; if one refuses, those below are uncharged.
 * Until then they have less left than they could have, so of two charges that meet when little is
 * left both may be refused.
 *
 * <p><b>Never lost.</b> Charging and releasing create no Java object and call nothing that could
 * fail; a refusal is created once all charges have been undone.
 */
public final class Budget {

    /** A limit that is never reached. */
    public static final long UNLIMITED = Long.MAX_VALUE;

    /** The budget of sources that charge nothing. */
    static final Budget NONE = unlimited("none");

    /** An owner of memory of a budget that can release what is idle. */
    public interface Holder {

        /** Returns unused memory, without waiting for another thread. */
        void releaseIdle();

        /** Counts the blocks without waiting for another thread: inexact while blocks move. */
        Counters estimate();
    }

    /** A callback that runs before a budget refuses. */
    @FunctionalInterface
    public interface Listener {

        /**
         * Called by the requesting thread, which holds no resource of the heap during the call.
         *
         * @param budget the budget that is about to refuse
         * @param askedBytes the requested bytes, of which too few are left
         */
        void pressed(Budget budget, long askedBytes);
    }

    /** How long a request waits for threads that hold memory for a moment. */
    private static final long WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    /** After this wait a request checks how much is in use, which takes as long. */
    private static final long FIRST_WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(20);

    /** How many times, and for how long, a request is tried at least before a wrong refusal. */
    private static final int PATIENT_POLLS = 100;

    private static final long PATIENT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    /** How many times a request yields to other threads while none of them is inside. */
    private static final int MAX_IDLE_YIELDS = 3;

    /**
     * A unit of {@link #activity}: the lower half counts threads inside, the upper half departures.
     */
    private static final long INSIDE = 1;

    private static final long INSIDE_MASK = (1L << 32) - 1;
    private static final long DEPARTURE = 1L << 32;

    /**
     * Whether the thread is in a listener: a request of the listener is refused without calling it.
     */
    private static final ThreadLocal<Boolean> NOTIFYING = ThreadLocal.withInitial(() -> false);

    private final String name;
    private final @Nullable Budget parent;
    private final Budget top;
    private final @Nullable Listener listener;
    private final AtomicLong left;

    /** In the topmost budget: threads that may hold memory of one of its allocators. */
    private final AtomicLong activity = new AtomicLong();

    /** Follows {@link #left}: at no moment more than has been charged. */
    private final HighWater used = new HighWater();

    /** A list without a lock; weak references, so that unreachable children are collected. */
    private final List<WeakReference<Budget>> children = new CopyOnWriteArrayList<>();

    private volatile long limit; // written under this
    private volatile @Nullable WeakReference<Holder> holder;
    private volatile boolean closed;

    private Budget(String name, long limit, @Nullable Listener listener, @Nullable Budget parent) {
        warmUpIfLimited(limit);
        this.name = name;
        this.limit = limit;
        this.left = new AtomicLong(limit);
        this.listener = listener;
        this.parent = parent;
        this.top = parent == null ? this : parent.top;
    }

    /**
     * Creates a budget without a parent.
     *
     * @param name the name in messages
     * @param limit the limit in bytes, not negative
     * @param listener called before this budget, or one within it, refuses
     */
    public static Budget of(String name, long limit, @Nullable Listener listener) {
        return new Budget(name, limit, listener, null);
    }

    /** Creates a budget that only counts. */
    public static Budget unlimited(String name) {
        return of(name, UNLIMITED, null);
    }

    /**
     * Creates a budget within this one, whose listener is called for both.
     *
     * @throws IllegalStateException if this one is closed
     */
    public synchronized Budget child(String name, long limit) {
        if (closed) {
            throw Blocks.closed(this.name);
        }
        Budget child = new Budget(name, limit, null, this);
        children.removeIf(reference -> reference.get() == null);
        children.add(new WeakReference<>(child));
        return child;
    }

    /** Returns whether this budget has a parent. */
    boolean isChild() {
        return parent != null;
    }

    /** Sets the holder that can release what is idle; the reference is weak. */
    public void setHolder(Holder holder) {
        this.holder = new WeakReference<>(holder);
    }

    // ---- charging -----------------------------------------------------------------------------

    /**
     * Charges bytes here and in every budget above.
     *
     * @param bytes the number of bytes, not negative
     * @throws Refusal.OverBudget if one of the budgets has less left; nothing has changed then
     * @throws Refusal.OutOfMemory if that one has no limit: no machine has so much memory
     */
    public void charge(long bytes) throws Refusal {
        for (Budget each = this; each != null; each = each.parent) {
            if (!each.tryCharge(bytes)) {
                for (Budget below = this; below != each; below = below.parent) {
                    below.left.addAndGet(bytes);
                }
                throw each.refusal(bytes, this);
            }
        }
        for (Budget each = this; each != null; each = each.parent) {
            each.used.change(bytes);
        }
    }

    /** Uncharges bytes that {@link #charge} has charged, or a part of them. */
    public void uncharge(long bytes) {
        for (Budget each = this; each != null; each = each.parent) {
            each.used.change(-bytes);
            each.left.addAndGet(bytes);
        }
    }

    /**
     * Checks that so many bytes are left at this moment, without charging them.
     *
     * @throws Refusal.OverBudget if this budget or one above has less left
     * @throws Refusal.OutOfMemory if no machine has so much memory
     */
    public void requireAvailable(long bytes) throws Refusal {
        Budget pressed = shortOf(bytes);
        if (pressed != null) {
            throw pressed.refusal(bytes, this);
        }
    }

    private boolean tryCharge(long bytes) {
        long now = left.get();
        while (now >= bytes) {
            if (left.compareAndSet(now, now - bytes)) {
                return true;
            }
            now = left.get();
        }
        return false;
    }

    /** Returns the nearest budget that has less left; null if none has. */
    private @Nullable Budget shortOf(long bytes) {
        for (Budget each = this; each != null; each = each.parent) {
            if (each.left.get() < bytes) {
                return each;
            }
        }
        return null;
    }

    // ---- making room --------------------------------------------------------------------------

    /**
     * Counts the calling thread as one that may hold memory for a moment, such as a slab or a range
     * that no other thread finds until it leaves. A request that is about to be refused waits for
     * such threads. Without a limit nothing is counted.
     *
     * @return whether the thread was counted; the caller passes it to {@link #leave}
     */
    public boolean enter() {
        for (Budget each = this; each != null; each = each.parent) {
            if (each.limit != UNLIMITED) {
                top.activity.getAndAdd(INSIDE);
                return true;
            }
        }
        return false;
    }

    /**
     * Ends {@link #enter}.
     *
     * @param entered the result of {@code enter}
     * @param changed whether another attempt may find memory that was not there before
     */
    public void leave(boolean entered, boolean changed) {
        if (entered) {
            top.activity.getAndAdd(changed ? DEPARTURE - INSIDE : -INSIDE);
        }
    }

    /** Returns the remedies for the refusals of one request. */
    public Relief relief() {
        return new Relief();
    }

    /**
     * The remedies for the refusals of one request, one step at each refusal.
     *
     * <ol>
     *   <li>All allocators of the budget that has too little left release what is idle.
     *   <li>The listener of the topmost budget is called.
     *   <li>The request waits for threads that were inside an allocator when it last tried, for at
     *       most 200 &micro;s by the clock. If there was none, and none has left since, another
     *       attempt would find the same: the request is refused at once.
     *   <li>If live blocks and the request need less than half of the limit, a refusal would be
     *       wrong: other threads hold the rest in caches that they were asked to flush, or in
     *       passing, and may have been descheduled since. Then the request yields to them, until it
     *       has tried {@value #PATIENT_POLLS} times and 100 ms are over.
     * </ol>
     *
     * <p>With the clock alone, of 32 threads on two processors with two blocks of 2 KiB each under
     * 1 MiB and no caches one request of 200 was refused; with the last step one of 75,000.
     *
     * <p>During these steps the caller is not {@linkplain #enter inside}, and holds no resource of
     * a heap: no block, slab, shard or lock.
     */
    public final class Relief implements Retry.Remedy {

        private boolean releasedIdle;
        private boolean notified;
        private int polls;

        /** The activity at the start of the last attempt. */
        private long activityBefore;

        private long waitingSince;
        private boolean patient;

        private Relief() {}

        /**
         * Returns whether the request exceeds a limit by itself, and there is no listener that
         * could raise the limit.
         */
        @Override
        public boolean isFinal(Refusal refusal) {
            return refusal instanceof Refusal.OverBudget over
                    && over.askedBytes() > leastLimit()
                    && listenerToCall() == null;
        }

        @Override
        public boolean apply(Refusal refusal) {
            if (!(refusal instanceof Refusal.OverBudget over)) {
                return false;
            }
            boolean again = step(over.askedBytes());
            if (again && polls == 0) {
                activityBefore = top.activity.get();
            }
            return again;
        }

        private boolean step(long asked) {
            boolean fits = asked <= leastLimit();
            if (fits && !releasedIdle) {
                releasedIdle = true;
                releaseIdleOf(shortOf(asked));
                return true;
            }
            if (!notified) {
                notified = true;
                Listener listener = listenerToCall();
                Budget pressed = shortOf(asked);
                if (listener != null && pressed != null) {
                    top.notifyListener(listener, pressed, asked);
                    return true; // even if the limit is still too small: for the new numbers
                }
            }
            return fits && await(asked);
        }

        /** Waits until another attempt may find more. */
        private boolean await(long asked) {
            if (polls == 0) {
                waitingSince = System.nanoTime();
            }
            if (shortOf(asked) != null && !patient && !awaitDeparture(FIRST_WAIT_NANOS)) {
                patient = isLittleUsed(asked);
                if (!patient && !awaitDeparture(WAIT_NANOS)) {
                    return false;
                }
            }
            if (patient && !yieldToDeparture()) {
                return false;
            }
            activityBefore = top.activity.get();
            polls++;
            return !isExhausted();
        }

        private boolean isUnchanged() {
            return top.activity.get() == activityBefore;
        }

        private boolean isAnyInside() {
            return (top.activity.get() & INSIDE_MASK) != 0;
        }

        /** Spins while threads are inside, until the request has waited that long in all. */
        private boolean awaitDeparture(long nanos) {
            while (isUnchanged()) {
                if (!isAnyInside() || waited() >= nanos) {
                    return false;
                }
                Thread.onSpinWait();
            }
            return true;
        }

        /** Yields to other threads: those inside, and those asked to flush their caches. */
        private boolean yieldToDeparture() {
            int idle = 0;
            while (idle < MAX_IDLE_YIELDS && !isExhausted()) {
                idle = isAnyInside() ? 0 : idle + 1;
                Thread.yield();
                if (!isUnchanged()) {
                    return true;
                }
                polls++;
            }
            return false;
        }

        private boolean isExhausted() {
            return patient
                    ? polls >= PATIENT_POLLS && waited() >= PATIENT_NANOS
                    : waited() >= WAIT_NANOS;
        }

        private long waited() {
            return System.nanoTime() - waitingSince;
        }

        /**
         * Returns whether a refusal would be wrong: the missing bytes are in caches, or held in
         * passing.
         */
        private boolean isLittleUsed(long asked) {
            Budget pressed = shortOf(asked);
            if (pressed == null) {
                return true;
            }
            long live = pressed.estimated(Counters::liveBytes);
            return live + asked <= pressed.limit / 2
                    && (isAnyInside()
                            || !isUnchanged()
                            || pressed.estimated(Counters::cachedBytes) > 0);
        }
    }

    private @Nullable Listener listenerToCall() {
        Listener known = top.listener;
        return known == null || NOTIFYING.get() ? null : known;
    }

    private long estimated(ToLongFunction<Counters> what) {
        Holder one = holderIfAlive();
        long sum = one == null ? 0 : what.applyAsLong(one.estimate());
        for (WeakReference<Budget> reference : children) {
            Budget child = reference.get();
            sum += child == null ? 0 : child.estimated(what);
        }
        return sum;
    }

    private void releaseIdleOf(@Nullable Budget pressed) {
        if (pressed != null) {
            boolean entered = enter();
            try {
                pressed.releaseIdle();
            } finally {
                leave(entered, true);
            }
        }
    }

    private void releaseIdle() {
        Holder one = holderIfAlive();
        if (one != null) {
            one.releaseIdle();
        }
        for (WeakReference<Budget> reference : children) {
            Budget child = reference.get();
            if (child != null) {
                child.releaseIdle();
            }
        }
    }

    private @Nullable Holder holderIfAlive() {
        WeakReference<Holder> known = holder;
        return known == null ? null : known.get();
    }

    private void notifyListener(Listener called, Budget pressed, long askedBytes) {
        NOTIFYING.set(true);
        try {
            called.pressed(pressed, askedBytes);
        } catch (Throwable e) { // whatever it is, the request must be answered
            log(e);
        } finally {
            NOTIFYING.set(false);
        }
    }

    private void log(Throwable failure) {
        try {
            System.getLogger("dev.kernelalloc")
                    .log(
                            System.Logger.Level.WARNING,
                            "a pressure listener of allocator '" + name + "' failed",
                            failure);
        } catch (Throwable e) {
            return; // the Java heap or stack is exhausted: logging is impossible
        }
    }

    // ---- the whole ----------------------------------------------------------------------------

    /** Returns the name for messages. */
    public String name() {
        return name;
    }

    /** Returns the limit in bytes. */
    public long limit() {
        return limit;
    }

    /**
     * Sets the limit, which may be less than the bytes in use: then only new charges are refused.
     *
     * @param bytes the limit in bytes, not negative
     */
    public synchronized void limit(long bytes) {
        warmUpIfLimited(bytes);
        left.addAndGet(bytes - limit);
        limit = bytes;
    }

    private static void warmUpIfLimited(long limit) {
        if (limit != UNLIMITED) {
            Warmup.LIMITS.require();
        }
    }

    /** Returns the least limit, here and above, at this moment. */
    public long leastLimit() {
        long least = limit;
        for (Budget each = parent; each != null; each = each.parent) {
            least = Math.min(least, each.limit);
        }
        return least;
    }

    /** Returns the bytes charged now, here and by children. */
    public long used() {
        return used.bytes();
    }

    /** Returns the most bytes that have been charged at any moment. */
    public long peak() {
        return used.mostBytes();
    }

    /**
     * Returns the bytes left at this moment, here and above; {@link #UNLIMITED} without a limit.
     */
    public long left() {
        long least = UNLIMITED;
        for (Budget each = this; each != null; each = each.parent) {
            if (each.limit != UNLIMITED) {
                least = Math.min(least, Math.max(0, each.left.get()));
            }
        }
        return least;
    }

    /**
     * Refuses children from now on; existing charges remain until they are released.
     *
     * @throws IllegalStateException if a child is not closed
     */
    public void close() {
        synchronized (this) {
            List<String> open = new ArrayList<>();
            for (WeakReference<Budget> reference : children) {
                Budget child = reference.get();
                if (child != null && !child.closed) {
                    open.add("'" + child.name + "'");
                }
            }
            if (!open.isEmpty()) {
                throw new IllegalStateException(
                        String.format(
                                Locale.ROOT,
                                "allocator '%s' has children that are not closed: %s. Close them"
                                        + " first",
                                name,
                                String.join(", ", open)));
            }
            closed = true;
        }
        leaveParent();
    }

    /** Ends a budget whose allocator was dropped: one that is left to a child stays usable. */
    public void end() {
        closed = true;
        leaveParent();
    }

    private void leaveParent() {
        if (parent != null) {
            parent.children.removeIf(reference -> reference.get() == this);
        }
    }

    /**
     * Creates the text by hand: a formatter would load classes while the Java heap may be nearly
     * exhausted.
     */
    private Refusal refusal(long asked, Budget from) {
        long usedNow = used.bytes();
        long limitNow = limit;
        if (limitNow == UNLIMITED) {
            return Blocks.unaddressable(asked);
        }
        StringBuilder text = new StringBuilder();
        text.append("budget '").append(name).append("' refuses ").append(asked);
        text.append(" bytes, as ").append(usedNow).append(" of its ").append(limitNow);
        text.append(" are taken");
        if (from.parent != null) {
            String separator = " (";
            for (Budget each = from; each != null; each = each.parent) {
                text.append(separator).append('\'').append(each.name).append("': ");
                text.append(each.used.bytes()).append(" of ");
                if (each.limit == UNLIMITED) {
                    text.append("any number");
                } else {
                    text.append(each.limit);
                }
                separator = ", in ";
            }
            text.append(')');
        }
        text.append(": free blocks or close allocators within it, or raise its limit");
        return new Refusal.OverBudget(text.toString(), name, limitNow, usedNow, asked);
    }
}
