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
import org.openjdk.jcstress.infra.results.L_Result;

import java.lang.foreign.MemorySegment;

@JCStressTest
@Description(
        "A pool closed while another thread frees: the block is freed, and everything goes back.")
@Outcome(id = "returned", expect = ACCEPTABLE, desc = "Nothing is left.")
@Outcome(expect = FORBIDDEN, desc = "A block is lost between the closing and the freeing thread.")
@State
public class CloseAgainstFree {

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final MemorySegment block = pool.allocate(64, 8);

    @Actor
    public void frees() {
        pool.free(block);
    }

    @Actor
    public void closes() {
        Blocks.close(pool);
    }

    @Arbiter
    public void count(L_Result r) {
        r.r1 = Blocks.accountOf(pool, true);
    }
}
