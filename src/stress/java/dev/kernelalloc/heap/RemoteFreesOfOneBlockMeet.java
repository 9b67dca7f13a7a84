package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LLL_Result;

@JCStressTest
@Description("Of two threads that free one block of a third, one is refused.")
@Outcome(id = "true, false, 64", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "false, true, 64", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(expect = FORBIDDEN, desc = "Both were accepted, or none, or the slab is not sound.")
@State
public class RemoteFreesOfOneBlockMeet {

    private final SlabCache cache = PaperChunks.heldCache();
    private final Slab slab = PaperChunks.slabOf(cache, 1);

    @Actor
    public void first(LLL_Result r) {
        r.r1 = slab.freeRemotely(0, Slab.RAW);
    }

    @Actor
    public void second(LLL_Result r) {
        r.r2 = slab.freeRemotely(0, Slab.RAW);
    }

    @Arbiter
    public void count(LLL_Result r) {
        r.r3 = PaperChunks.popAll(cache, slab);
    }
}
