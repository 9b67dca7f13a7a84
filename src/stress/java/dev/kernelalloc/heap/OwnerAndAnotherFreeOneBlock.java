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
        "The owner and another thread free one block in the same instant, and the owner goes on:"
                + " the block is handed out once, and no other is lost.")
@Outcome(id = "64", expect = ACCEPTABLE, desc = "The list is whole.")
@Outcome(
        id = "63",
        expect = ACCEPTABLE,
        desc = "The block is live again, taken after the free that came first.")
@Outcome(expect = FORBIDDEN, desc = "The list is broken: a block is lost, or comes twice.")
@State
public class OwnerAndAnotherFreeOneBlock {

    private final SlabCache cache = PaperChunks.heldCache();
    private final Slab slab = PaperChunks.slabOf(cache, 3);

    @Actor
    public void owner() {
        if (slab.stateOf(0) == Slab.RAW) {
            cache.push(slab, 0);
            cache.pop(slab, Slab.RAW); // the block is handed out again
            cache.drain();
        }
        cache.push(slab, 2);
    }

    @Actor
    public void another() {
        slab.freeRemotely(0, Slab.RAW);
        slab.freeRemotely(1, Slab.RAW);
    }

    @Arbiter
    public void count(L_Result r) {
        r.r1 = Integer.toString(PaperChunks.popAll(cache, slab));
    }
}
