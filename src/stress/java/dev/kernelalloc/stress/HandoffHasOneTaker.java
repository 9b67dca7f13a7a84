package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.Handoff;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LLL_Result;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

@JCStressTest
@Description("Of two threads that attach one hand-off, one is refused.")
@Outcome(id = "attached, refused, returned", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "refused, attached, returned", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(expect = FORBIDDEN, desc = "The block has two owners, or none.")
@State
public class HandoffHasOneTaker {

    private static final StructType<MemorySegment> LONGS =
            StructType.of(MemoryLayout.sequenceLayout(8, ValueLayout.JAVA_LONG));

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final Handoff<MemorySegment> handoff = NativeBox.zeroed(pool, LONGS).detach();

    @Actor
    public void first(LLL_Result r) {
        r.r1 = attach();
    }

    @Actor
    public void second(LLL_Result r) {
        r.r2 = attach();
    }

    private String attach() {
        try (NativeBox<MemorySegment> box = handoff.attach()) {
            return Blocks.isFilledWith(box.segment(), (byte) 0) ? "attached" : "overwritten";
        } catch (IllegalStateException e) {
            return "refused";
        }
    }

    @Arbiter
    public void count(LLL_Result r) {
        pool.close();
        r.r3 = Blocks.accountOf(pool, true);
    }
}
