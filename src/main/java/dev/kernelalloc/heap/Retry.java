package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/**
 * Decides what is done after the refusals of one request, in which order, and when it is refused:
 *
 * <ol>
 *   <li>If the first refusal is {@linkplain Remedy#isFinal final}, it is thrown at once.
 *   <li>The allocator of the request reclaims what is idle in it, in as many steps as it has.
 *   <li>The remedies of its limit follow: all allocators of the limit release what is idle, a
 *       listener may raise it, and threads that hold memory in passing are awaited, for 200
 *       &micro;s or, where a refusal would be wrong, 100 ms; see {@link Budget.Relief}.
 * </ol>
 *
 * <p>The request is tried again after each step that may have changed something. One attempt falls
 * back by itself, to smaller ranges and slabs ({@link Slabs}) and from one backing to the next, and
 * releases nothing of others.
 *
 * <p>Created after the first refusal: a request that succeeds creates no object. For one thread,
 * which holds no resource of a heap when it calls {@link #after}.
 */
public final class Retry {

    /** The steps of one request that may make its next attempt succeed. */
    @FunctionalInterface
    public interface Remedy {

        /** No step. */
        Remedy NONE = _ -> false;

        /**
         * Executes the next step that applies to a refusal. The caller holds no resource of its
         * heap and is not {@link Budget#enter inside}: a callback may use the heap.
         *
         * @return whether to try again; false if no step is left
         */
        boolean apply(Refusal refusal);

        /** Returns whether a refusal is final, whatever any remedy releases or raises. */
        default boolean isFinal(Refusal refusal) {
            return false;
        }
    }

    /**
     * The first steps of a limit: to release what is idle, and the listener; without a listener
     * also one wait. For pages, which take milliseconds to find in each attempt.
     */
    public static final int FIRST_STEPS = 2;

    private final Remedy own;
    private final Remedy others;
    private int othersLeft;
    private boolean begun;

    /**
     * @param own the remedies of the allocator that makes the request
     * @param others the remedies of its limit
     * @param most how many steps of {@code others} are executed at most
     */
    public Retry(Remedy own, Remedy others, int most) {
        this.own = own;
        this.others = others;
        this.othersLeft = most;
    }

    /**
     * Executes the next step. The caller then tries again.
     *
     * @throws Refusal the same refusal, if it is final or no step is left
     */
    public void after(Refusal refusal) throws Refusal {
        if (!begun && others.isFinal(refusal)) {
            throw refusal;
        }
        begun = true;
        if (!own.apply(refusal) && !(othersLeft-- > 0 && others.apply(refusal))) {
            throw refusal;
        }
    }
}
