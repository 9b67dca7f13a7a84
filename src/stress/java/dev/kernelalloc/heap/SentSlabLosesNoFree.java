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
@Description("A slab is sent to another cache while a third thread frees a block: nothing is lost.")
@Outcome(id = "64", expect = ACCEPTABLE, desc = "Whoever has the slab has every block.")
@Outcome(expect = FORBIDDEN, desc = "The slab or the block is lost, or two caches have the slab.")
@State
public class SentSlabLosesNoFree {

    private final SlabCache from = PaperChunks.heldCache();
    private final SlabCache to = SlabCache.shard(new CacheBudget(0));
    private final Slab slab = PaperChunks.slabOf(from, 2);

    @Actor
    public void sender() {
        from.drain();
        if (from.detach(slab)) {
            SlabCache.send(slab, to);
        }
        if (to.tryAcquire()) {
            to.drain();
            to.release();
        }
    }

    @Actor
    public void freer() {
        slab.freeRemotely(0, Slab.RAW);
        slab.freeRemotely(1, Slab.RAW);
    }

    @Arbiter
    public void count(L_Result r) {
        to.tryAcquire();
        int sent = PaperChunks.popAll(to, slab);
        int kept = slab.cache == from ? PaperChunks.popAll(from, slab) : 0;
        r.r1 = Integer.toString(sent + kept);
    }
}
