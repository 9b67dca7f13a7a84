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
@Description("A large block freed while the heap is closed is not kept.")
@Outcome(id = "returned", expect = ACCEPTABLE, desc = "The chunk has gone back.")
@Outcome(expect = FORBIDDEN, desc = "The chunk is kept where nobody will look for it.")
@State
public class LargeBlockFreedWhileClosing {

    private final PaperChunks source = new PaperChunks();
    private final LargeBlocks large =
            new LargeBlocks(source, new CacheBudget(1 << 30), new HighWater(), HeapListener.NONE);
    private final long block = PaperChunks.allocateLarge(large);

    @Actor
    public void frees() {
        large.free(block, true);
    }

    @Actor
    public void closes() {
        large.stopKeeping();
        large.trim();
    }

    @Arbiter
    public void count(L_Result r) {
        r.r1 = source.chunksOut() == 0 ? "returned" : "kept";
    }
}
