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
        "A block returned while another thread takes the last free one of its slab is not lost.")
@Outcome(
        id = "0",
        expect = ACCEPTABLE,
        desc = "The block that was free was taken; the other is there.")
@Outcome(
        id = "1",
        expect = ACCEPTABLE,
        desc = "The block just returned was taken; the other is there.")
@Outcome(
        expect = FORBIDDEN,
        desc = "A block was handed out twice, or its slab has free blocks and no token.")
@State
public class RefillMissesNoReturn {

    private static final int CLASS = SizeClasses.of(64 << 10, 8);

    private final Slabs slabs =
            new Slabs(new PaperChunks(), Long.MAX_VALUE, new HighWater(), false);
    private final long[] taken;
    private long got;

    public RefillMissesNoReturn() {
        taken = PaperChunks.takeWholeSlab(slabs, CLASS);
        slabs.give(taken[0]);
    }

    @Actor
    public void takes() {
        got = PaperChunks.takeOne(slabs, CLASS);
    }

    @Actor
    public void returns() {
        slabs.give(taken[1]);
    }

    @Arbiter
    public void takeRest(L_Result r) {
        long rest = PaperChunks.takeOne(slabs, CLASS);
        if (got == taken[0] && rest == taken[1]) {
            r.r1 = "0";
        } else {
            r.r1 = got == taken[1] && rest == taken[0] ? "1" : "lost";
        }
    }
}
