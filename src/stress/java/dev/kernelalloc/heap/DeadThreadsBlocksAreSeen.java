package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

import java.lang.ref.WeakReference;

@JCStressTest
@Description("Who adopts the cache of a thread that has just died sees all that it did.")
@Outcome(id = "alive", expect = ACCEPTABLE, desc = "It had not died yet, and kept its cache.")
@Outcome(id = "all", expect = ACCEPTABLE, desc = "Every block that it freed is there.")
@Outcome(
        expect = FORBIDDEN,
        desc =
                "The cache was taken from a living thread, or the adopter pops a block that is not"
                        + " there.")
@State
public class DeadThreadsBlocksAreSeen {

    private static final int BLOCKS = 64;

    private volatile SlabCache cache;
    private SlabCache own; // written before its thread starts
    private Slab slab;

    @Actor
    public void dying() {
        Thread thread = new Thread(this::push);
        own = SlabCache.vacant(new CacheBudget(Long.MAX_VALUE), Long.MAX_VALUE);
        slab = PaperChunks.slabOf(own, BLOCKS);
        own.adopt(thread.threadId(), new WeakReference<>(thread));
        thread.start();
        cache = own;
    }

    private void push() {
        for (int i = 0; i < BLOCKS; i++) {
            own.push(slab, i);
        }
    }

    @Actor
    public void adopter(L_Result r) {
        Thread self = Thread.currentThread();
        for (int i = 0; i < 10_000; i++) {
            SlabCache seen = cache;
            if (seen != null && seen.adopt(self.threadId(), new WeakReference<>(self))) {
                r.r1 = PaperChunks.popAll(seen, slab) == BLOCKS ? "all" : "some";
                return;
            }
            Thread.onSpinWait();
        }
        r.r1 = "alive";
    }
}
