package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

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

    /**
     * So often a request is tried again. Who holds the last slab or range is soon done with it, but
     * may have to run first: of 32 threads on two processors with two blocks of 64 bytes each under
     * 1 MiB, one of a thousand requests was refused with 3, and 11 of six millions with 100.
     */
    private static final int PATIENCE = 100;

    /** Whether the thread is in a listener: what that allocates is refused without asking it. */
    private static final ThreadLocal<Boolean> TELLING = ThreadLocal.withInitial(() -> false);

    private final String name;
    private final @Nullable Budget parent;
    private final @Nullable Listener listener;
    private final AtomicLong left;

    /** Follows {@link #left}: at no moment more than has been taken from it. */
    private final AtomicLong used = new AtomicLong();

    private final AtomicLong peak = new AtomicLong();

    /** In a list without a lock; weak, as a child that nobody has any more is nobody's business. */
    private final List<WeakReference<Budget>> children = new CopyOnWriteArrayList<>();

    private volatile long limit; // written under this
    private volatile @Nullable WeakReference<Holder> holder;
    private volatile boolean closed; // written under this

    private Budget(String name, long limit, @Nullable Listener listener, @Nullable Budget parent) {
        this.name = name;
        this.limit = limit;
        this.left = new AtomicLong(limit);
        this.listener = listener;
        this.parent = parent;
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
     * What can be done about a refusal. First all allocators of the budget that has too little left
     * give up what is idle; then the listener is told, which the topmost budget has; at last other
     * threads are let go on, who may hold for a moment what would serve. The caller holds nothing
     * of a heap: no block, token, stripe or lock.
     *
     * @param attempt how many times the same request has been here before
     * @return whether to try again
     */
    public boolean relieve(Refusal refusal, int attempt) {
        if (!(refusal instanceof Refusal.OverBudget over)) {
            return false;
        }
        Budget pressed = shortOf(over.askedBytes());
        if (pressed == null) {
            return attempt < PATIENCE; // room has been made meanwhile
        }
        switch (attempt) {
            case 0 -> pressed.giveUpIdle();
            case 1 -> tell(pressed, over.askedBytes());
            default -> Thread.yield();
        }
        return attempt < PATIENCE;
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

    private void tell(Budget pressed, long askedBytes) {
        Budget top = this;
        while (top.parent != null) {
            top = top.parent;
        }
        Listener told = top.listener;
        if (told == null || TELLING.get()) {
            return;
        }
        TELLING.set(true);
        try {
            told.pressed(pressed, askedBytes);
        } catch (Throwable e) { // whatever it is, the request is to be answered
            top.log(e);
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
        left.addAndGet(bytes - limit);
        limit = bytes;
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
                        "allocator '%s' has children that are not closed: %s. Close them first"
                                .formatted(name, String.join(", ", open)));
            }
            closed = true;
        }
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
