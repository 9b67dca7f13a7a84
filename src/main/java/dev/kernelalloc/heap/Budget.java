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
 * What an allocator and its children may take from the system together. Safe to use from any
 * thread, without locks but for a change of the limit.
 *
 * <p><b>Never over the limit.</b> What counts is how much is <i>left</i>: a charge is one exchange
 * of that, and a change of the limit one addition to it, so no charge ever sees a limit that is no
 * longer so. A charge goes up the chain of parents; where one refuses, those below get back what
 * they gave. For that moment they have less left than they might, so of two charges that meet where
 * little is left both may be refused.
 *
 * <p><b>Never lost.</b> Charging and releasing make no Java object and call nothing that could
 * fail; a refusal is made once everything has been given back.
 */
public final class Budget {

    /** A limit that nothing reaches. */
    public static final long UNLIMITED = Long.MAX_VALUE;

    /** Who has memory of a budget and can give up what is idle. */
    public interface Holder {

        /** Gives back what no block uses, and waits for nobody. */
        void giveUpIdle();

        /** Counts the blocks without waiting for anybody: inexact while blocks move. */
        Counters estimate();
    }

    /** Who is told before a budget refuses. */
    @FunctionalInterface
    public interface Listener {

        /**
         * Called by the thread that wants memory, which holds nothing of the heap meanwhile.
         *
         * @param budget that is about to refuse
         * @param askedBytes that it has too little left for
         */
        void pressed(Budget budget, long askedBytes);
    }

    /** How long a request waits for threads that hold memory for a moment. */
    private static final long WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    /** After that it looks how much is in use, which takes as long. */
    private static final long FIRST_WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(20);

    /** How many times, and for how long, a request is tried at least before a wrong refusal. */
    private static final int PATIENT_LOOKS = 100;

    private static final long PATIENT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    /** How many times other threads are let run while none of them is inside. */
    private static final int MAX_IDLE_YIELDS = 3;

    /** Of {@link #activity}: the lower half counts threads inside, the upper half departures. */
    private static final long INSIDE = 1;

    private static final long INSIDE_MASK = (1L << 32) - 1;
    private static final long DEPARTURE = 1L << 32;

    /** Whether the thread is in a listener: what that allocates is refused without asking it. */
    private static final ThreadLocal<Boolean> TELLING = ThreadLocal.withInitial(() -> false);

    private final String name;
    private final @Nullable Budget parent;
    private final Budget top;
    private final @Nullable Listener listener;
    private final AtomicLong left;

    /** Of the topmost budget: threads that may hold memory of one of its allocators. */
    private final AtomicLong activity = new AtomicLong();

    /** Follows {@link #left}: at no moment more than has been taken from it. */
    private final AtomicLong used = new AtomicLong();

    private final AtomicLong peak = new AtomicLong();

    /** In a list without a lock; weak, as a child that nobody has any more is nobody's business. */
    private final List<WeakReference<Budget>> children = new CopyOnWriteArrayList<>();

    private volatile long limit; // written under this
    private volatile @Nullable WeakReference<Holder> holder;
    private volatile boolean closed;

    private Budget(String name, long limit, @Nullable Listener listener, @Nullable Budget parent) {
        rehearseIfLimited(limit);
        this.name = name;
        this.limit = limit;
        this.left = new AtomicLong(limit);
        this.listener = listener;
        this.parent = parent;
        this.top = parent == null ? this : parent.top;
    }

    /**
     * A budget of its own.
     *
     * @param name for messages
     * @param limit in bytes, not negative
     * @param listener told before it refuses, or one within it does
     */
    public static Budget of(String name, long limit, @Nullable Listener listener) {
        return new Budget(name, limit, listener, null);
    }

    /** A budget that only counts. */
    public static Budget unlimited(String name) {
        return of(name, UNLIMITED, null);
    }

    /**
     * A budget within this one, whose listener is told of both.
     *
     * @throws IllegalStateException when this one is closed
     */
    public synchronized Budget child(String name, long limit) {
        if (closed) {
            throw new IllegalStateException("allocator '" + this.name + "' is closed");
        }
        Budget child = new Budget(name, limit, null, this);
        children.removeIf(reference -> reference.get() == null);
        children.add(new WeakReference<>(child));
        return child;
    }

    /** Returns whether there is a budget above. */
    boolean isChild() {
        return parent != null;
    }

    /** Who can give up what is idle; kept weakly. */
    public void heldBy(Holder holder) {
        this.holder = new WeakReference<>(holder);
    }

    // ---- charging -----------------------------------------------------------------------------

    /**
     * Takes from what is left, here and in every budget above.
     *
     * @param bytes not negative
     * @throws Refusal.OverBudget when one of them has less left; nothing has changed then
     * @throws Refusal.OutOfMemory when that one has no limit: no machine has so much
     */
    public void charge(long bytes) throws Refusal {
        for (Budget each = this; each != null; each = each.parent) {
            if (!each.take(bytes)) {
                for (Budget below = this; below != each; below = below.parent) {
                    below.left.addAndGet(bytes);
                }
                throw each.refusal(bytes, this);
            }
        }
        for (Budget each = this; each != null; each = each.parent) {
            each.raisePeak(each.used.addAndGet(bytes));
        }
    }

    /** Gives back what {@link #charge} took, or a part of it. */
    public void release(long bytes) {
        for (Budget each = this; each != null; each = each.parent) {
            each.used.addAndGet(-bytes);
            each.left.addAndGet(bytes);
        }
    }

    /**
     * Makes sure that there is something left at this moment, without taking it.
     *
     * @throws Refusal.OverBudget when here or above is less left
     * @throws Refusal.OutOfMemory when no machine has so much
     */
    public void requireLeft(long bytes) throws Refusal {
        Budget pressed = shortOf(bytes);
        if (pressed != null) {
            throw pressed.refusal(bytes, this);
        }
    }

    private boolean take(long bytes) {
        long now = left.get();
        while (now >= bytes) {
            if (left.compareAndSet(now, now - bytes)) {
                return true;
            }
            now = left.get();
        }
        return false;
    }

    private void raisePeak(long to) {
        for (long now = peak.get(); now < to; now = peak.get()) {
            if (peak.compareAndSet(now, to)) {
                return;
            }
        }
    }

    /** The nearest budget that has less left; null when each has as much. */
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
     * that no other thread finds meanwhile. A request that is about to be refused waits for such
     * threads. Without a limit nothing is counted.
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
     * @param entered what that returned
     * @param changed whether another look at the memory may find what it did not find before
     */
    public void leave(boolean entered, boolean changed) {
        if (entered) {
            top.activity.getAndAdd(changed ? DEPARTURE - INSIDE : -INSIDE);
        }
    }

    /**
     * Returns whether a refusal is final: the request exceeds a limit by itself, and there is no
     * listener that could raise that.
     */
    public boolean isFinal(Refusal refusal) {
        return refusal instanceof Refusal.OverBudget over
                && over.askedBytes() > leastLimit()
                && listenerToCall() == null;
    }

    /** Starts what can be done about the refusals of one request. */
    public Relief relief() {
        return new Relief();
    }

    /**
     * What is done about the refusals of one request, a step at each refusal.
     *
     * <ol>
     *   <li>All allocators of the budget that has too little left give back what is idle.
     *   <li>The listener of the topmost budget is called.
     *   <li>The request waits for threads that were inside an allocator when it looked, for at most
     *       200 &micro;s by the clock. Where none was, and none has left since, another look would
     *       find the same: the request is refused at once.
     *   <li>Where live blocks and the request have less than half of the limit, a refusal would be
     *       wrong: other threads hold the rest in caches that they were asked to give up, or in
     *       passing, and may have lost their processor meanwhile. Then the request lets them run,
     *       until it has looked {@value #PATIENT_LOOKS} times and 100 ms are over.
     * </ol>
     *
     * <p>With the clock alone, of 32 threads on two processors with two blocks of 2 KiB each under
     * 1 MiB and no caches one request of 200 was refused; with the last step one of 75,000.
     *
     * <p>The caller is not {@linkplain #enter inside} meanwhile, and holds nothing of a heap: no
     * block, token, stripe or lock.
     */
    public final class Relief implements ChunkSource.Relief {

        private boolean gaveUpIdle;
        private boolean told;
        private int looks;

        /** What the last look began with. */
        private long activityBefore;

        private long waitingSince;
        private boolean patient;

        private Relief() {}

        @Override
        public boolean relieve(Refusal refusal) {
            if (!(refusal instanceof Refusal.OverBudget over)) {
                return false;
            }
            boolean again = step(over.askedBytes());
            if (again && looks == 0) {
                activityBefore = top.activity.get();
            }
            return again;
        }

        private boolean step(long asked) {
            boolean fits = asked <= leastLimit();
            if (fits && !gaveUpIdle) {
                gaveUpIdle = true;
                giveUpIdleOf(shortOf(asked));
                return true;
            }
            if (!told) {
                told = true;
                Listener listener = listenerToCall();
                Budget pressed = shortOf(asked);
                if (listener != null && pressed != null) {
                    top.tell(listener, pressed, asked);
                    return true; // also where the limit is still too small: for the new numbers
                }
            }
            return fits && await(asked);
        }

        /** Waits until another look may find more. */
        private boolean await(long asked) {
            if (looks == 0) {
                waitingSince = System.nanoTime();
            }
            if (shortOf(asked) != null && !patient && !awaitDeparture()) {
                patient = isLittleUsed(asked);
                if (!patient && !awaitDepartureByTheClock()) {
                    return false;
                }
            }
            if (patient && !yieldToDeparture()) {
                return false;
            }
            activityBefore = top.activity.get();
            looks++;
            return !isExhausted();
        }

        private boolean isUnchanged() {
            return top.activity.get() == activityBefore;
        }

        private boolean isAnyInside() {
            return (top.activity.get() & INSIDE_MASK) != 0;
        }

        private boolean awaitDeparture() {
            while (isUnchanged()) {
                if (!isAnyInside() || waited() >= FIRST_WAIT_NANOS) {
                    return false;
                }
                Thread.onSpinWait();
            }
            return true;
        }

        private boolean awaitDepartureByTheClock() {
            while (isUnchanged()) {
                if (!isAnyInside() || waited() >= WAIT_NANOS) {
                    return false;
                }
                Thread.onSpinWait();
            }
            return true;
        }

        /** Lets other threads run: those inside, and those asked to give up their caches. */
        private boolean yieldToDeparture() {
            int idle = 0;
            while (idle < MAX_IDLE_YIELDS && !isExhausted()) {
                idle = isAnyInside() ? 0 : idle + 1;
                Thread.yield();
                if (!isUnchanged()) {
                    return true;
                }
                looks++;
            }
            return false;
        }

        private boolean isExhausted() {
            return patient
                    ? looks >= PATIENT_LOOKS && waited() >= PATIENT_NANOS
                    : waited() >= WAIT_NANOS;
        }

        private long waited() {
            return System.nanoTime() - waitingSince;
        }

        /** Whether a refusal would be wrong: what is missing is held by caches, or in passing. */
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
        return known == null || TELLING.get() ? null : known;
    }

    private long estimated(ToLongFunction<Counters> what) {
        WeakReference<Holder> known = holder;
        Holder one = known == null ? null : known.get();
        long sum = one == null ? 0 : what.applyAsLong(one.estimate());
        for (WeakReference<Budget> reference : children) {
            Budget child = reference.get();
            sum += child == null ? 0 : child.estimated(what);
        }
        return sum;
    }

    private void giveUpIdleOf(@Nullable Budget pressed) {
        if (pressed != null) {
            boolean entered = enter();
            try {
                pressed.giveUpIdle();
            } finally {
                leave(entered, true);
            }
        }
    }

    private void giveUpIdle() {
        WeakReference<Holder> known = holder;
        Holder one = known == null ? null : known.get();
        if (one != null) {
            one.giveUpIdle();
        }
        for (WeakReference<Budget> reference : children) {
            Budget child = reference.get();
            if (child != null) {
                child.giveUpIdle();
            }
        }
    }

    private void tell(Listener called, Budget pressed, long askedBytes) {
        TELLING.set(true);
        try {
            called.pressed(pressed, askedBytes);
        } catch (Throwable e) { // whatever it is, the request is to be answered
            log(e);
        } finally {
            TELLING.set(false);
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
            return; // the Java heap or stack is exhausted: nothing can be written
        }
    }

    // ---- the whole ----------------------------------------------------------------------------

    /** For messages. */
    public String name() {
        return name;
    }

    /** In bytes. */
    public long limit() {
        return limit;
    }

    /**
     * Sets the limit, also below what is used: that only refuses more.
     *
     * @param bytes not negative
     */
    public synchronized void limit(long bytes) {
        rehearseIfLimited(bytes);
        left.addAndGet(bytes - limit);
        limit = bytes;
    }

    private static void rehearseIfLimited(long limit) {
        if (limit != UNLIMITED) {
            Rehearsal.ofLimits();
        }
    }

    /** The least limit, here and above, as it is at this moment. */
    public long leastLimit() {
        long least = limit;
        for (Budget each = parent; each != null; each = each.parent) {
            least = Math.min(least, each.limit);
        }
        return least;
    }

    /** Bytes taken now, here and by children. */
    public long used() {
        return used.get();
    }

    /** The most bytes that were. */
    public long peak() {
        return peak.get();
    }

    /** Bytes left at this moment, here and above; {@link #UNLIMITED} where nothing is limited. */
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
     * Refuses children from now on; what is charged stays so until it is released.
     *
     * @throws IllegalStateException when a child is not closed
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

    /** By hand: what formats it would load classes, and the Java heap may be nearly exhausted. */
    private Refusal refusal(long asked, Budget from) {
        long usedNow = used.get();
        long limitNow = limit;
        if (limitNow == UNLIMITED) {
            return new Refusal.OutOfMemory(
                    Long.toString(asked).concat(" bytes are more than can be addressed"));
        }
        StringBuilder text = new StringBuilder();
        text.append("budget '").append(name).append("' refuses ").append(asked);
        text.append(" bytes, as ").append(usedNow).append(" of its ").append(limitNow);
        text.append(" are taken");
        if (from.parent != null) {
            String separator = " (";
            for (Budget each = from; each != null; each = each.parent) {
                text.append(separator).append('\'').append(each.name).append("': ");
                text.append(each.used.get()).append(" of ");
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
