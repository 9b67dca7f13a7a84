package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

@JCStressTest
@Description("Of two magazines that two threads give at once, neither is lost.")
@Outcome(id = "both", expect = ACCEPTABLE, desc = "Each has a place.")
@Outcome(
        expect = FORBIDDEN,
        desc = "One has overwritten the other: its blocks would never be handed out again.")
@State
public class GiversLoseNoMagazine {

    private static final int CLASS = SizeClasses.of(64, 8);

    private final Depot depot = new Depot(CLASS, new CacheBudget(Long.MAX_VALUE));
    private final long[] one = Magazine.make(MagazineShape.blocks(CLASS));
    private final long[] other = Magazine.make(MagazineShape.blocks(CLASS));

    @Actor
    public void first() {
        depot.putFull(one);
    }

    @Actor
    public void second() {
        depot.putFull(other);
    }

    @Arbiter
    public void count(L_Result r) {
        long[] a = depot.takeFull();
        long[] b = depot.takeFull();
        r.r1 = a == one && b == other || a == other && b == one ? "both" : "lost";
    }
}
