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
import java.util.Optional;

@JCStressTest
@Description(
        "Two children fill a limit that has room for one block: within it, and all comes back.")
@Outcome(
        id = "within, 0, 0",
        expect = ACCEPTABLE,
        desc = "Whoever was served, the limit held, and freeing and closing returned everything.")
@Outcome(expect = FORBIDDEN, desc = "Over the limit, or bytes stay charged.")
@State
public class SiblingPoolsStayWithinTheirLimit {

    private static final long LIMIT = 96 << 10;

    private final PoolAllocator parent =
            PoolAllocator.builder().limit(LIMIT).cacheBytes(0, 0).build();
    private final PoolAllocator one = parent.child("one", LIMIT);
    private final PoolAllocator other = parent.child("other", LIMIT);
    private Optional<MemorySegment> ofOne = Optional.empty();
    private Optional<MemorySegment> ofOther = Optional.empty();

    @Actor
    public void first() {
        ofOne = one.tryAllocate(64, 8);
    }

    @Actor
    public void second() {
        ofOther = other.tryAllocate(64, 8);
    }

    @Arbiter
    public void look(LLL_Result r) {
        r.r1 = parent.peakCharged() <= LIMIT ? "within" : "over: " + parent.peakCharged();
        ofOne.ifPresent(one::free);
        ofOther.ifPresent(other::free);
        one.close();
        other.close();
        r.r2 = parent.charged();
        parent.close();
        r.r3 = one.charged() + other.charged();
    }
}
