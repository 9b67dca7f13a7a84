package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.J_Result;

@JCStressTest
@Description(
        "A thread counts live blocks while another opens and closes two boxes, one in another.")
@Outcome(
        id = {"0", "1", "2"},
        expect = ACCEPTABLE,
        desc = "As many as may be open.")
@Outcome(
        expect = FORBIDDEN,
        desc = "A block that was set aside was left out twice, or a third one was counted.")
@State
public class BlockSetAsideIsCountedOnce {

    private static final int ROUNDS = 20;

    private final Slab slab = PaperChunks.slabOf(PaperChunks.heldCache(), 0);

    @Actor
    public void boxes() {
        long id = Thread.currentThread().threadId();
        slab.owner(id);
        slab.user(id);
        for (int i = 0; i < ROUNDS; i++) {
            long outer = open();
            long inner = open();
            slab.tryFreeOwned(inner);
            slab.tryFreeOwned(outer);
        }
    }

    private long open() {
        long last = slab.popLastFreed();
        return last != 0 ? last : slab.popOfCurrent(Slab.OWNED) & Blocks.ADDRESS;
    }

    @Actor
    public void count(J_Result r) {
        r.r1 = slab.count().live();
    }
}
