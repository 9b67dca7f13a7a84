package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LL_Result;

@JCStressTest
@Description("A range is retired, or gives granules, never both.")
@Outcome(id = "granule, in use", expect = ACCEPTABLE, desc = "The taker was first.")
@Outcome(id = "nothing, retired", expect = ACCEPTABLE, desc = "The range was retired first.")
@Outcome(
        id = "nothing, in use",
        expect = ACCEPTABLE,
        desc = "The taker found the lock held by one that looked.")
@Outcome(expect = FORBIDDEN, desc = "The chunk would go back under a slab.")
@State
public class RetiredRangeGivesNothing {

    private final Range range = new Range(new Chunk(1L << 40, 4 * Range.GRANULE_BYTES, true));

    @Actor
    public void takes(LL_Result r) {
        r.r1 = range.acquire(1) != Range.NONE ? "granule" : "nothing";
    }

    @Actor
    public void retires(LL_Result r) {
        r.r2 = range.retire() ? "retired" : "in use";
    }
}
