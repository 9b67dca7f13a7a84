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
@Description(
        "A stripe of virtual threads has one holder at a time, who sees what the one before did.")
@Outcome(id = "2", expect = ACCEPTABLE, desc = "One after the other.")
@Outcome(id = "1", expect = ACCEPTABLE, desc = "One found it taken and went on.")
@Outcome(
        expect = FORBIDDEN,
        desc =
                "Both held it at once and pushed to the same place, or one did not see the other's"
                        + " block.")
@State
public class StripeHasOneHolder {

    private static final int CLASS = SizeClasses.of(64, 8);

    private final ThreadCache stripe = new ThreadCache(ThreadCache.VACANT);
    private int refused1;
    private int refused2;

    public StripeHasOneHolder() {
        stripe.loaded[CLASS] = Magazine.make(MagazineShape.blocks(CLASS));
    }

    @Actor
    public void first() {
        refused1 = push(64);
    }

    @Actor
    public void second() {
        refused2 = push(128);
    }

    private int push(long block) {
        if (!stripe.take()) {
            return 1;
        }
        stripe.push(CLASS, block);
        stripe.give();
        return 0;
    }

    @Arbiter
    public void count(L_Result r) {
        long blocks = stripe.blocks(CLASS);
        r.r1 = blocks + refused1 + refused2 == 2 ? Long.toString(blocks) : "lost";
    }
}
