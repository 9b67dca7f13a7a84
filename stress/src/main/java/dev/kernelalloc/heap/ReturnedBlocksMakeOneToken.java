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

import java.util.Set;

@JCStressTest
@Description("Two threads that return blocks to a full slab make one token between them.")
@Outcome(
        id = "both",
        expect = ACCEPTABLE,
        desc = "Both blocks are handed out again, and no slab was made for them.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The token was lost, so that another slab had to be made, or it was made twice.")
@State
public class ReturnedBlocksMakeOneToken {

    private static final int CLASS = SizeClasses.of(64 << 10, 8);

    private final Slabs slabs =
            new Slabs(new PaperChunks(), Long.MAX_VALUE, new HighWater(), false);
    private final long[] taken;

    public ReturnedBlocksMakeOneToken() {
        taken = PaperChunks.takeWholeSlab(slabs, CLASS);
    }

    @Actor
    public void first() {
        slabs.give(taken[0]);
    }

    @Actor
    public void second() {
        slabs.give(taken[1]);
    }

    @Arbiter
    public void takeAgain(L_Result r) {
        Set<Long> again =
                Set.of(PaperChunks.takeOne(slabs, CLASS), PaperChunks.takeOne(slabs, CLASS));
        r.r1 = again.equals(Set.of(taken[0], taken[1])) ? "both" : "lost";
    }
}
