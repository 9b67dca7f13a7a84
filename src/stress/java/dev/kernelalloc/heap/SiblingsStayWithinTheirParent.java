package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZL_Result;

@JCStressTest
@Description("Two children charge a parent that has room for one: never both, and nothing is lost.")
@Outcome(id = "true, false, 60 = 60 + 0", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "false, true, 60 = 0 + 60", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(expect = FORBIDDEN, desc = "Over the limit, refused with room left, or bytes are lost.")
@State
public class SiblingsStayWithinTheirParent {

    private final Budget parent = Budget.of("parent", 100, null);
    private final Budget one = parent.child("one", 80);
    private final Budget other = parent.child("other", 80);

    @Actor
    public void first(ZZL_Result r) {
        r.r1 = PaperMoney.charge(one, 60);
    }

    @Actor
    public void second(ZZL_Result r) {
        r.r2 = PaperMoney.charge(other, 60);
    }

    @Arbiter
    public void look(ZZL_Result r) {
        r.r3 = PaperMoney.accountOf(parent) + " = " + one.used() + " + " + other.used();
    }
}
