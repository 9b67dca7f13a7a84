package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LLLL_Result;

@JCStressTest
@Description("A limit is lowered while a charge is made: what is charged then no longer grows.")
@Outcome(id = "true, 60, false, 60", expect = ACCEPTABLE, desc = "The charge was first.")
@Outcome(id = "true, 0, false, 60", expect = ACCEPTABLE, desc = "The same, counted as used later.")
@Outcome(id = "false, 0, false, 0", expect = ACCEPTABLE, desc = "The limit was first.")
@Outcome(expect = FORBIDDEN, desc = "A charge above the lowered limit, or bytes are lost.")
@State
public class LoweredLimitHoldsAtOnce {

    private final Budget budget = Budget.of("budget", 100, null);

    @Actor
    public void charge(LLLL_Result r) {
        r.r1 = PaperMoney.charge(budget, 60);
    }

    @Actor
    public void lower(LLLL_Result r) {
        budget.limit(50);
        r.r2 = budget.used();
    }

    @Arbiter
    public void look(LLLL_Result r) {
        r.r3 = PaperMoney.charge(budget, 51);
        budget.limit(100); // where everything that was granted is left again
        r.r4 = PaperMoney.accountOf(budget);
    }
}
