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
@Description("Two threads that allocate at once never get one block.")
@Outcome(id = "distinct", expect = ACCEPTABLE, desc = "Two blocks, and everything returns.")
@Outcome(expect = FORBIDDEN, desc = "One block has two owners, or one is lost.")
@State
public class BlocksAreHandedOutOnce {

    private final PaperChunks source = new PaperChunks();
    private final SlabHeap heap = PaperChunks.uncachedHeapOver(source);
    private long one;
    private long other;

    @Actor
    public void first() {
        one = PaperChunks.allocate(heap, 64 << 10);
    }

    @Actor
    public void second() {
        other = PaperChunks.allocate(heap, 64 << 10);
    }

    @Arbiter
    public void compare(L_Result r) {
        if (one == other) {
            r.r1 = "the same";
            return;
        }
        heap.free(one);
        heap.free(other);
        heap.close();
        r.r1 = heap.counters().liveBlocks() == 0 && source.chunksOut() == 0 ? "distinct" : "lost";
    }
}
