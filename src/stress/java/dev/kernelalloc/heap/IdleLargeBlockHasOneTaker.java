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
        "Of two threads that allocate while one large block is kept, one gets it, and what it took"
                + " of the budget is given back once.")
@Outcome(id = "returned", expect = ACCEPTABLE, desc = "Every chunk has gone back, once.")
@Outcome(expect = FORBIDDEN, desc = "A chunk has two owners, or has been lost.")
@State
public class IdleLargeBlockHasOneTaker {

    private final PaperChunks source = new PaperChunks();
    private final CacheBudget budget = new CacheBudget(1 << 30);
    private final LargeBlocks large =
            new LargeBlocks(source, budget, new HighWater(), HeapListener.NONE);
    private final long kept = PaperChunks.allocateLarge(large);
    private long first;
    private long second;

    public IdleLargeBlockHasOneTaker() {
        large.free(kept, true);
    }

    @Actor
    public void takes() {
        first = PaperChunks.allocateLarge(large);
    }

    @Actor
    public void takesToo() {
        second = PaperChunks.allocateLarge(large);
    }

    @Arbiter
    public void giveBack(L_Result r) {
        if (first == second) {
            r.r1 = "two owners";
            return;
        }
        large.stopKeeping();
        boolean ended = large.free(first, true) && large.free(second, true);
        r.r1 =
                ended && source.chunksOut() == 0 && budget.tryCharge(1 << 30)
                        ? "returned"
                        : "lost: " + source.chunksOut();
    }
}
