package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

@JCStressTest
@Description("Who takes a magazine that another thread has just given sees all its blocks.")
@Outcome(id = "none", expect = ACCEPTABLE, desc = "Not given yet.")
@Outcome(id = "whole", expect = ACCEPTABLE, desc = "Every block is there.")
@Outcome(
        expect = FORBIDDEN,
        desc =
                "The taker sees a magazine that its giver has not finished: blocks would be lost or"
                        + " invented.")
@State
public class GivenMagazineIsWhole {

    private static final int CLASS = SizeClasses.of(64, 8);
    private static final int BLOCKS = MagazineShape.blocks(CLASS);

    private final Depot depot = new Depot(CLASS, new CacheBudget(Long.MAX_VALUE));

    @Actor
    public void giver() {
        long[] magazine = Magazine.make(BLOCKS);
        for (int i = 1; i <= BLOCKS; i++) {
            Magazine.push(magazine, i * 64L);
        }
        depot.putFull(magazine);
    }

    @Actor
    public void taker(L_Result r) {
        long[] magazine = depot.takeFull();
        r.r1 = magazine == null ? "none" : isWhole(magazine) ? "whole" : "torn";
    }

    private static boolean isWhole(long[] magazine) {
        for (int i = BLOCKS; i > 0; i--) {
            if (Magazine.pop(magazine) != i * 64L) {
                return false;
            }
        }
        return Magazine.isEmpty(magazine);
    }
}
