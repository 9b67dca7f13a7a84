package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZLL_Result;

@JCStressTest
@Description("A charge meets a release below one parent: granted or not, the numbers agree after.")
@Outcome(id = "true, 70, 70", expect = ACCEPTABLE, desc = "The release was first.")
@Outcome(id = "false, 0, 0", expect = ACCEPTABLE, desc = "The charge was first.")
@Outcome(expect = FORBIDDEN, desc = "Bytes are lost, or were there twice.")
@State
public class ReleasedBytesCanBeChargedAgain {

    private final Budget parent = Budget.of("parent", 100, null);
    private final Budget child = parent.child("child", 90);

    public ReleasedBytesCanBeChargedAgain() {
        PaperMoney.charge(child, 60);
    }

    @Actor
    public void charge(ZLL_Result r) {
        r.r1 = PaperMoney.charge(child, 70);
    }

    @Actor
    public void release() {
        child.uncharge(60);
    }

    @Arbiter
    public void look(ZLL_Result r) {
        r.r2 = PaperMoney.accountOf(child);
        r.r3 = PaperMoney.accountOf(parent);
    }
}
