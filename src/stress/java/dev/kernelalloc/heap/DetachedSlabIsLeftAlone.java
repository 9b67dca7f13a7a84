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
@Description("A slab is detached from a shard while another thread frees one of its blocks.")
@Outcome(id = "62", expect = ACCEPTABLE, desc = "All but the two live blocks are free.")
@Outcome(expect = FORBIDDEN, desc = "Both used the free list at once, or the block is lost.")
@State
public class DetachedSlabIsLeftAlone {

    private final SlabHeap heap = PaperChunks.uncachedHeapOver(new PaperChunks());
    private final SlabCache from = SlabCache.shard(new CacheBudget(0));
    private final SlabCache to = SlabCache.shard(new CacheBudget(0));
    private final Slab slab = PaperChunks.slabOf(from, 2);

    @Actor
    public void detaches() {
        boolean detached = false;
        if (from.tryAcquire()) {
            detached = from.detach(slab);
            from.release();
        }
        if (detached) {
            slab.pop(Slab.RAW);
            SlabCache.send(slab, to);
        } else {
            while (!from.tryAcquire()) {
                Thread.onSpinWait();
            }
            from.pop(slab, Slab.RAW);
            from.release();
        }
    }

    @Actor
    public void frees() {
        heap.freeBlock(slab, 0, Slab.RAW);
    }

    @Arbiter
    public void count(L_Result r) {
        r.r1 = Integer.toString(PaperChunks.popAll(slab.cache == to ? to : from, slab));
    }
}
