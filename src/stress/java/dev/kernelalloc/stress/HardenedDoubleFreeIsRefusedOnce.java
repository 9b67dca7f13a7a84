package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.PoolAllocator;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LL_Result;

import java.lang.foreign.MemorySegment;

@JCStressTest
@Description("Of two threads that free one block of a hardened pool, one is refused.")
@Outcome(id = "freed, refused", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "refused, freed", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(
        expect = FORBIDDEN,
        desc =
                "The double free went unseen: the block would be handed out twice; or neither freed"
                        + " it.")
@State
public class HardenedDoubleFreeIsRefusedOnce {

    private static final PoolAllocator POOL = PoolAllocator.builder().hardened(true).build();

    private final MemorySegment block = POOL.allocate(64, 8);

    @Actor
    public void first(LL_Result r) {
        r.r1 = free();
    }

    @Actor
    public void second(LL_Result r) {
        r.r2 = free();
    }

    private String free() {
        try {
            POOL.free(block);
            return "freed";
        } catch (IllegalArgumentException e) {
            return "refused";
        }
    }
}
