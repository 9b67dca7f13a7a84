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
@Description("A granule given back while its neighbour is taken: neither undoes the other.")
@Outcome(id = "one free", expect = ACCEPTABLE, desc = "One is in use, the other free.")
@Outcome(expect = FORBIDDEN, desc = "A granule has two owners, or is lost.")
@State
public class GranulesComeBackApart {

    private final Range range = new Range(new Chunk(1L << 40, 3 * Range.GRANULE_BYTES, true));
    private final int mine = range.acquire(1);
    private final int others = range.acquire(1);
    private int taken = Range.NONE;

    @Actor
    public void gives() {
        range.release(mine, 1);
    }

    @Actor
    public void takes() {
        taken = range.acquire(1);
    }

    @Arbiter
    public void look(L_Result r) {
        int free = range.acquire(1);
        boolean apart = free != Range.NONE && free != taken && free != others && taken != others;
        r.r1 =
                apart && taken != Range.NONE && range.acquire(1) == Range.NONE
                        ? "one free"
                        : "not apart";
    }
}
