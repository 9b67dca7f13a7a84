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
@Description("Two threads that use one shard at once: one acquires it, or each does in turn.")
@Outcome(id = "64", expect = ACCEPTABLE, desc = "Every block is there, whoever freed which.")
@Outcome(expect = FORBIDDEN, desc = "Both held it at once, or one did not see the other's block.")
@State
public class ShardHasOneHolder {

    private final SlabCache shard = SlabCache.shard(new CacheBudget(0));
    private final Slab slab = PaperChunks.slabOf(shard, 2);

    @Actor
    public void first() {
        free(0);
    }

    @Actor
    public void second() {
        free(1);
    }

    private void free(int index) {
        if (shard.tryAcquire()) {
            shard.push(slab, index);
            shard.release();
        } else {
            slab.freeRemotely(index, Slab.RAW);
        }
    }

    @Arbiter
    public void count(L_Result r) {
        r.r1 = Integer.toString(PaperChunks.popAll(shard, slab));
    }
}
