package dev.kernelalloc.core;

import dev.kernelalloc.Pressure;
import dev.kernelalloc.heap.Budget;

import org.jspecify.annotations.Nullable;

import java.lang.ref.WeakReference;
import java.util.List;
import java.util.function.Consumer;

/** The effects of limits that both kinds of allocators share. */
public final class Limits {

    /**
     * The part of a limit that the caches of a thread hold at most: other threads can hardly use
     * it.
     */
    private static final int THREAD_CACHE_SHARE = 16;

    /** The same of all caches together. */
    private static final int CACHE_SHARE = 4;

    private Limits() {}

    public static long requireBytes(long limit) {
        if (limit < 0) {
            throw new IllegalArgumentException("limit=" + limit + " must not be negative");
        }
        return limit;
    }

    public static long threadCacheBytes(long wanted, long limit) {
        return Math.min(wanted, limit / THREAD_CACHE_SHARE);
    }

    public static long cacheBytes(long wanted, long limit) {
        return Math.min(wanted, limit / CACHE_SHARE);
    }

    /**
     * Returns one that calls all, whatever each of them throws; null for none. It refers to them
     * weakly: the guards of the allocators that they serve keep them.
     */
    public static Budget.@Nullable Listener listener(List<Consumer<Pressure>> listeners) {
        if (listeners.isEmpty()) {
            return null;
        }
        WeakReference<List<Consumer<Pressure>>> reference = new WeakReference<>(listeners);
        return (budget, askedBytes) -> {
            List<Consumer<Pressure>> all = reference.get();
            if (all != null) {
                notifyListeners(
                        all,
                        new Pressure(budget.name(), askedBytes, budget.used(), budget.limit()));
            }
        };
    }

    private static void notifyListeners(List<Consumer<Pressure>> listeners, Pressure pressure) {
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
