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
import java.lang.foreign.MemorySegment;

@JCStressTest
@Description("Two threads that allocate in one shared arena get zeroed slots that do not overlap.")
@Outcome(id = "apart, returned", expect = ACCEPTABLE, desc = "Each has its own.")
@Outcome(
        expect = FORBIDDEN,
        desc = "Two segments share bytes, one was not zeroed, or a chunk is lost.")
@State
public class ArenaSlotsDoNotOverlap {

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final Arena arena = pool.sharedArena();
    private MemorySegment one;
    private MemorySegment other;
    private boolean zeroed1;
    private boolean zeroed2;

    @Actor
    public void first() {
        one = arena.allocate(64, 8);
        zeroed1 = Blocks.isFilledWith(one, (byte) 0);
        one.fill((byte) 1);
    }

    @Actor
    public void second() {
        other = arena.allocate(64, 8);
        zeroed2 = Blocks.isFilledWith(other, (byte) 0);
        other.fill((byte) 2);
    }

    @Arbiter
    public void compare(LL_Result r) {
        boolean apart = Blocks.isFilledWith(one, (byte) 1) && Blocks.isFilledWith(other, (byte) 2);
        r.r1 = apart && zeroed1 && zeroed2 ? "apart" : "shared";
        arena.close();
        pool.close();
        r.r2 = Blocks.accountOf(pool, true);
    }
}
