package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** Charges without an exception, for tests that look at what a budget has left. */
final class PaperMoney {

    private PaperMoney() {}

    /** Whether the budget has granted it. */
    static boolean charge(Budget budget, long bytes) {
        try {
            budget.charge(bytes);
            return true;
        } catch (Refusal e) {
            return false;
        }
    }

    /**
     * What is used; or both numbers, where what is left does not agree with it. For a budget that
     * has less left than those above it, when nobody charges any more.
     */
    static String accountOf(Budget budget) {
        return budget.used() + budget.left() == budget.limit()
                ? Long.toString(budget.used())
                : "used " + budget.used() + ", left " + budget.left();
    }
}
