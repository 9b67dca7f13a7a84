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
import org.openjdk.jcstress.infra.results.LL_Result;

import java.lang.foreign.MemorySegment;

@JCStressTest
@Description(
        "A pool closed while another thread allocates: a usable block, or IllegalStateException.")
@Outcome(
        id = "used and freed, returned",
        expect = ACCEPTABLE,
        desc = "The allocation was first, and its block outlives the close.")
@Outcome(id = "closed, returned", expect = ACCEPTABLE, desc = "The close was first.")
@Outcome(expect = FORBIDDEN, desc = "The block cannot be used or freed, or memory is lost.")
@State
public class CloseAgainstAllocate {

    private final PoolAllocator pool = PoolAllocator.create();
    private MemorySegment block;

    @Actor
    public void allocates() {
        try {
            block = pool.allocate(64, 8);
            block.fill((byte) 7);
        } catch (IllegalStateException e) {
            block = null;
        }
    }

    @Actor
    public void closes() {
        Blocks.close(pool);
    }

    @Arbiter
    public void free(LL_Result r) {
        r.r1 = block == null ? "closed" : Blocks.useAndFree(pool, block);
        r.r2 = Blocks.accountOf(pool, false);
    }
}
