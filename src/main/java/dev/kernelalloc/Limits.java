package dev.kernelalloc;

import dev.kernelalloc.heap.Budget;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.function.Consumer;

/** What both kinds of allocators make of the limits that they are given. */
final class Limits {

    /** Of a limit the caches of a thread hold no more: other threads can hardly get at it. */
    private static final int THREAD_CACHE_SHARE = 16;

    /** The same of all caches together. */
    private static final int CACHE_SHARE = 4;

    private Limits() {}

    static long requireBytes(long limit) {
        if (limit < 0) {
            throw new IllegalArgumentException("limit=" + limit + " must not be negative");
        }
        return limit;
    }

    static long threadCacheBytes(long wanted, long limit) {
        return Math.min(wanted, limit / THREAD_CACHE_SHARE);
    }

    static long cacheBytes(long wanted, long limit) {
        return Math.min(wanted, limit / CACHE_SHARE);
    }

    /** One that tells all, whatever each of them throws; null for none. */
    static Budget.@Nullable Listener listener(List<Consumer<Pressure>> listeners) {
        if (listeners.isEmpty()) {
            return null;
        }
        List<Consumer<Pressure>> all = List.copyOf(listeners);
        return (budget, askedBytes) ->
                tell(all, new Pressure(budget.name(), askedBytes, budget.used(), budget.limit()));
    }

    private static void tell(List<Consumer<Pressure>> listeners, Pressure pressure) {
        RuntimeException first = null;
        for (Consumer<Pressure> listener : listeners) {
            try {
                listener.accept(pressure);
            } catch (RuntimeException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first; // the budget logs it
        }
    }
}
