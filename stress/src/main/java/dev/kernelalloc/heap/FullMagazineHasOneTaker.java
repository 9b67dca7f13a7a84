package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LL_Result;

@JCStressTest
@Description("A full magazine in the depot is taken by exactly one thread.")
@Outcome(id = "taken, none", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "none, taken", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(
        expect = FORBIDDEN,
        desc = "Both own the same blocks, or the magazine is lost though it lay there before.")
@State
public class FullMagazineHasOneTaker {

    private static final int CLASS = SizeClasses.of(64, 8);

    private final Depot depot = new Depot(CLASS, new CacheBudget(Long.MAX_VALUE));

    public FullMagazineHasOneTaker() {
        depot.putFull(Magazine.make(MagazineShape.blocks(CLASS)));
    }

    @Actor
    public void first(LL_Result r) {
        r.r1 = depot.takeFull() == null ? "none" : "taken";
    }

    @Actor
    public void second(LL_Result r) {
        r.r2 = depot.takeFull() == null ? "none" : "taken";
    }
}
