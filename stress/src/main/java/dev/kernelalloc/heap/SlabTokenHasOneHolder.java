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
@Description("The token of a slab is claimed by exactly one thread.")
@Outcome(id = "held, none", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "none, held", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(
        expect = FORBIDDEN,
        desc = "Two threads hand out the blocks of one slab, or its token is lost.")
@State
public class SlabTokenHasOneHolder {

    private static final int CLASS = SizeClasses.of(64 << 10, 8);

    private final Bin bin = new Bin(SlabShape.of(CLASS, new PaperChunks()));
    private final Slab slab = PaperChunks.slabIn(bin);

    public SlabTokenHasOneHolder() {
        bin.add(slab);
        bin.offer(slab);
    }

    @Actor
    public void first(LL_Result r) {
        r.r1 = bin.claim() == null ? "none" : "held";
    }

    @Actor
    public void second(LL_Result r) {
        r.r2 = bin.claim(slab) ? "held" : "none";
    }
}
