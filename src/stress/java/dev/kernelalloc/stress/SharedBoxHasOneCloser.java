package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
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
@Description("Of two threads that close one shared box, one is refused.")
@Outcome(id = "closed, refused, returned", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "refused, closed, returned", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(expect = FORBIDDEN, desc = "The block went back twice, or not at all.")
@State
public class SharedBoxHasOneCloser {

    private static final StructType<MemorySegment> LONGS =
            StructType.of(MemoryLayout.sequenceLayout(8, ValueLayout.JAVA_LONG));

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final SharedBox<MemorySegment> box = SharedBox.zeroed(pool, LONGS);

    @Actor
    public void first(LLL_Result r) {
        r.r1 = close();
    }

    @Actor
    public void second(LLL_Result r) {
        r.r2 = close();
    }

    private String close() {
        try {
            box.close();
            return "closed";
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
