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
@Description("A thread frees blocks of a slab while its owner collects: nothing is lost.")
@Outcome(id = "64", expect = ACCEPTABLE, desc = "Every block is free, once.")
@Outcome(expect = FORBIDDEN, desc = "A block is lost, or free twice.")
@State
public class RemoteFreesAreCollected {

    private final SlabCache cache = PaperChunks.heldCache();
    private final Slab slab = PaperChunks.slabOf(cache, 3);

    @Actor
    public void another() {
        slab.freeRemotely(0, Slab.RAW);
        slab.freeRemotely(1, Slab.RAW);
    }

    @Actor
    public void owner() {
        cache.drain();
        cache.push(slab, 2);
    }

    @Arbiter
    public void count(L_Result r) {
        r.r1 = Integer.toString(PaperChunks.popAll(cache, slab));
    }
}
