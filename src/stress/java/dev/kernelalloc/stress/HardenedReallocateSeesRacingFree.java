package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.PoolAllocator;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LLL_Result;

import java.lang.foreign.MemorySegment;

@JCStressTest
@Description(
        "In a hardened pool a reallocate that races a free of its block: one of the two is refused,"
                + " nothing is lost.")
@Outcome(id = "moved, refused, 0", expect = ACCEPTABLE, desc = "The reallocate was first.")
@Outcome(id = "refused, freed, 0", expect = ACCEPTABLE, desc = "The free was first.")
@Outcome(
        expect = FORBIDDEN,
        desc = "Both ended one block, or neither, or a block stays that nobody can free.")
@State
public class HardenedReallocateSeesRacingFree {

    private final PoolAllocator pool = PoolAllocator.builder().hardened(true).build();
    private final MemorySegment block = pool.allocate(64, 8);
    private MemorySegment moved;

    @Actor
    public void reallocates(LLL_Result r) {
        try {
            moved = pool.reallocate(block, 128, 8);
            r.r1 = "moved";
        } catch (IllegalArgumentException e) {
            r.r1 = "refused";
        }
    }

    @Actor
    public void frees(LLL_Result r) {
        try {
            pool.free(block);
            r.r2 = "freed";
        } catch (IllegalArgumentException e) {
            r.r2 = "refused";
        }
    }

    @Arbiter
    public void count(LLL_Result r) {
        if (moved != null) {
            pool.free(moved);
        }
        r.r3 = pool.stats().liveBlocks();
        pool.close();
    }
}
