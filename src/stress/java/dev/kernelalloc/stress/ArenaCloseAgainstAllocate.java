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

import java.lang.foreign.Arena;

@JCStressTest
@Description(
        "A shared arena closed while another thread allocates and writes: it writes in time, or"
                + " gets IllegalStateException.")
@Outcome(
        id = "used, returned",
        expect = ACCEPTABLE,
        desc = "The allocation and the write were first.")
@Outcome(id = "closed, returned", expect = ACCEPTABLE, desc = "The close was first.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The segment was written after the memory had gone, or a chunk is lost.")
@State
public class ArenaCloseAgainstAllocate {

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final Arena arena = pool.sharedArena();

    @Actor
    public void allocates(LL_Result r) {
        try {
            arena.allocate(64, 8).fill((byte) 7);
            r.r1 = "used";
        } catch (IllegalStateException e) {
            r.r1 = "closed";
        }
    }

    @Actor
    public void closes() {
        arena.close();
    }

    @Arbiter
    public void count(LL_Result r) {
        pool.close();
        r.r2 = Blocks.accountOf(pool, true);
    }
}
