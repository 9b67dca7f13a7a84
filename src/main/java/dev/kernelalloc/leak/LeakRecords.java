package dev.kernelalloc.leak;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/**
 * The records of all that is tracked in the process. They are reachable from here, so that the
 * collector reports them. No thread ever waits here.
 *
 * <p>A stripe is a stack; a record is pushed by CAS. A record that has ended stays in the stripe
 * until a quarter of the stripe has; then one thread unlinks them all, while others continue. It
 * alone changes the links between records, and pops the top only by a CAS that fails if another
 * record was pushed. A record is pushed once, so the same top means that nothing has happened. A
 * thread that walks a stripe sees every record that was in it before and has not ended.
 */
public final class LeakRecords {

    static final LeakRecords ALL = new LeakRecords();

    /** Below this number closed records are not unlinked. */
    private static final int LEAST_CLOSED = 32;

    private static final int MAX_STRIPES = 64;

    private final Stripe[] stripes;

    LeakRecords() {
        int wanted = Math.min(MAX_STRIPES, Runtime.getRuntime().availableProcessors());
        stripes = new Stripe[Integer.highestOneBit(2 * wanted - 1)];
        for (int i = 0; i < stripes.length; i++) {
            stripes[i] = new Stripe();
        }
    }

    int stripeOfThread() {
        return (int) Thread.currentThread().threadId() & stripes.length - 1;
    }

    void add(LeakRecord record) {
        stripes[record.stripe].push(record);
    }

    /** Records that one of these is closed. */
    void closed(LeakRecord record) {
        stripes[record.stripe].countClosed();
    }

    /**
     * Returns every record that has not ended; of those that begin or end at the same time, some.
     */
    void forEach(Consumer<LeakRecord> action) {
        for (Stripe stripe : stripes) {
            stripe.forEach(action);
        }
    }

    /**
     * Returns whether any record is not closed.
     *
     * @param ofMemory whether only records of owners of memory count
     */
    boolean hasAlive(boolean ofMemory) {
        for (Stripe stripe : stripes) {
            if (stripe.hasAlive(ofMemory)) {
                return true;
            }
        }
        return false;
    }

    /** Returns how many there are, with closed ones that are not yet unlinked. */
    int size() {
        int size = 0;
        for (Stripe stripe : stripes) {
            size += stripe.linked.get();
        }
        return size;
    }

    private static final class Stripe {

        private final AtomicReference<@Nullable LeakRecord> newest = new AtomicReference<>();
        private final AtomicInteger linked = new AtomicInteger();
        private final AtomicInteger closed = new AtomicInteger();
        private final AtomicBoolean unlinking = new AtomicBoolean();

        void push(LeakRecord record) {
            linked.incrementAndGet();
            do {
                record.older = newest.get();
            } while (!newest.compareAndSet(record.older, record));
        }

        void countClosed() {
            if (closed.incrementAndGet() > LEAST_CLOSED + linked.get() / 4
                    && unlinking.compareAndSet(false, true)) {
                try {
                    unlinkClosed();
                } finally {
                    unlinking.set(false);
                }
            }
        }

        private void unlinkClosed() {
            int unlinked = 0;
            LeakRecord kept = newest.get();
            while (kept != null && kept.isClosed()) {
                if (newest.compareAndSet(kept, kept.older)) {
                    unlinked++;
                }
                kept = newest.get();
            }
            while (kept != null) {
                LeakRecord older = kept.older;
                while (older != null && older.isClosed()) {
                    older = older.older;
                    unlinked++;
                }
                kept.older = older;
                kept = older;
            }
            linked.addAndGet(-unlinked);
            closed.addAndGet(-unlinked);
        }

        boolean hasAlive(boolean ofMemory) {
            LeakRecord record = newest.get();
            while (record != null && (record.isClosed() || ofMemory && !record.ownsMemory())) {
                record = record.older;
            }
            return record != null;
        }

        void forEach(Consumer<LeakRecord> action) {
            for (LeakRecord record = newest.get(); record != null; record = record.older) {
                if (!record.isClosed()) {
                    action.accept(record);
                }
            }
        }
    }
}
