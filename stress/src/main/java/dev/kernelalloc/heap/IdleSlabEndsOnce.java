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
        "A slab that becomes idle while another thread takes from its class ends once, and never"
                + " under a block.")
@Outcome(
        id = "returned",
        expect = ACCEPTABLE,
        desc = "Everything has gone back to the source, once.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The slab ended while one of its blocks was out, or its memory was lost.")
@State
public class IdleSlabEndsOnce {

    private static final int CLASS = SizeClasses.of(64 << 10, 8);

    private final PaperChunks source = new PaperChunks();
    private final Slabs slabs = new Slabs(source, 0, new HighWater(), false);
    private final long last;
    private long got;

    public IdleSlabEndsOnce() {
        last = PaperChunks.takeOne(slabs, CLASS);
    }

    @Actor
    public void returns() {
        slabs.give(last);
    }

    @Actor
    public void takes() {
        got = PaperChunks.takeOne(slabs, CLASS);
    }

    @Arbiter
    public void giveBack(L_Result r) {
        Slab slab = slabs.at(got);
        if (slab == null || slab.indexOf(got) < 0 || slab.stateOf(slab.indexOf(got)) != Slab.OUT) {
            r.r1 = "ended under a block";
            return;
        }
        slabs.give(got);
        slabs.trim();
        r.r1 = slabs.isEmpty() && source.chunksOut() == 0 ? "returned" : "lost";
    }
}
