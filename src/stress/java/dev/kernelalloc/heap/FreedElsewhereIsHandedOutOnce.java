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
@Description("A block that another thread frees is handed out once afterwards.")
@Outcome(
        id = "once",
        expect = ACCEPTABLE,
        desc = "Every block has one owner, and everything returns.")
@Outcome(expect = FORBIDDEN, desc = "A block has two owners, or one is lost.")
@State
public class FreedElsewhereIsHandedOutOnce {

    private final PaperChunks source = new PaperChunks();
    private final SlabHeap heap = PaperChunks.uncachedHeapOver(source);
    private final long freed;
    private long got;

    public FreedElsewhereIsHandedOutOnce() {
        freed = PaperChunks.allocate(heap, 64 << 10);
    }

    @Actor
    public void frees() {
        heap.free(freed);
    }

    @Actor
    public void allocates() {
        got = PaperChunks.allocate(heap, 64 << 10);
    }

    @Arbiter
    public void allocateMore(L_Result r) {
        long more = PaperChunks.allocate(heap, 64 << 10);
        long last = PaperChunks.allocate(heap, 64 << 10);
        if (got == more || got == last || more == last) {
            r.r1 = "twice";
            return;
        }
        heap.free(got);
        heap.free(more);
        heap.free(last);
        heap.close();
        r.r1 = heap.counters().liveBlocks() == 0 && source.chunksOut() == 0 ? "once" : "lost";
    }
}
