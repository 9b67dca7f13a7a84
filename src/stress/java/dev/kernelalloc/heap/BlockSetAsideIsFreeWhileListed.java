package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

@JCStressTest
@Description("A thread counts live blocks while the owner lists the block that was set aside.")
@Outcome(id = "0", expect = ACCEPTABLE, desc = "No box is open.")
@Outcome(expect = FORBIDDEN, desc = "The block is neither set aside nor free, or both.")
@State
public class BlockSetAsideIsFreeWhileListed {

    private final Slab slab = PaperChunks.slabOf(PaperChunks.heldCache(), 0);

    public BlockSetAsideIsFreeWhileListed() {
        slab.lastFreed = slab.popOfCurrent(Slab.OWNED) & Blocks.ADDRESS;
    }

    @Actor
    public void list() {
        slab.listLastFreed();
    }

    @Actor
    public void count(I_Result r) {
        r.r1 = (int) slab.count().live();
    }
}
