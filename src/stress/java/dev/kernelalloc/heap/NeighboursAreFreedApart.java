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
@Description("Two threads that free neighbours do not undo each other's state.")
@Outcome(id = "both", expect = ACCEPTABLE, desc = "Both are free, and refused when freed again.")
@Outcome(
        expect = FORBIDDEN,
        desc =
                "One state has overwritten the other: a freed block counts as live, or a live one"
                        + " as free.")
@State
public class NeighboursAreFreedApart {

    private final SlabHeap heap = PaperChunks.uncachedHeapOver(new PaperChunks());
    private final long one;
    private final long other;

    public NeighboursAreFreedApart() {
        one = PaperChunks.allocate(heap, 16);
        other = PaperChunks.allocate(heap, 16);
        PaperChunks.allocate(heap, 16); // keeps their slab
    }

    @Actor
    public void first() {
        heap.free(one);
    }

    @Actor
    public void second() {
        heap.free(other);
    }

    @Arbiter
    public void freeAgain(L_Result r) {
        boolean both = isRefused(one) && isRefused(other);
        r.r1 = both && heap.counters().liveBlocks() == 1 ? "both" : "undone";
    }

    private boolean isRefused(long block) {
        try {
            heap.free(block);
            return false;
        } catch (IllegalArgumentException e) {
            return true;
        }
    }
}
