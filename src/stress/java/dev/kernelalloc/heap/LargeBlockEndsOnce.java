package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

@JCStressTest
@Description("Of two threads that end one large block, one is told that it was alive.")
@Outcome(id = "true, false", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "false, true", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(expect = FORBIDDEN, desc = "The chunk would be given back twice, or never.")
@State
public class LargeBlockEndsOnce {

    private final LargeBlocks large =
            new LargeBlocks(
                    new PaperChunks(), new CacheBudget(0), new HighWater(), HeapListener.NONE);
    private final long block = PaperChunks.allocateLarge(large);

    @Actor
    public void first(ZZ_Result r) {
        r.r1 = large.free(block, true);
    }

    @Actor
    public void second(ZZ_Result r) {
        r.r2 = large.free(block, true);
    }
}
