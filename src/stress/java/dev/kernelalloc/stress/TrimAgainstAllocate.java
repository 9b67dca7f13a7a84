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
@Description("A trim takes nothing from a thread that allocates meanwhile.")
@Outcome(
        id = "used and freed, returned",
        expect = ACCEPTABLE,
        desc = "The block is usable, and everything goes back.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The slab was ended under a block just handed out, or memory is lost.")
@State
public class TrimAgainstAllocate {

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private MemorySegment block;

    public TrimAgainstAllocate() {
        pool.free(pool.allocate(64, 8)); // something to trim
    }

    @Actor
    public void allocates() {
        block = pool.allocate(64, 8);
        block.fill((byte) 7);
    }

    @Actor
    public void trims() {
        pool.trim();
    }

    @Arbiter
    public void free(LL_Result r) {
        r.r1 = Blocks.useAndFree(pool, block);
        pool.close();
        r.r2 = Blocks.accountOf(pool, true);
    }
}
