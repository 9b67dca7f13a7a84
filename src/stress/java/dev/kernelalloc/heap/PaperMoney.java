package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** Charges without an exception, for tests that check what a budget has left. */
final class PaperMoney {

    private PaperMoney() {}

    /** Returns whether the budget has granted the charge. */
    static boolean charge(Budget budget, long bytes) {
        try {
            budget.charge(bytes);
            return true;
        } catch (Refusal e) {
            return false;
        }
    }

    /**
     * Returns the bytes used; both numbers if they disagree with the bytes left. For a budget that
     * has less left than those above it, once no thread charges any more.
     */
    static String accountOf(Budget budget) {
        return budget.used() + budget.left() == budget.limit()
                ? Long.toString(budget.used())
                : "used " + budget.used() + ", left " + budget.left();
    }
}
