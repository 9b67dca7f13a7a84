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
@Outcome(id = "all", expect = ACCEPTABLE, desc = "Every block that it pushed is there.")
@Outcome(
        expect = FORBIDDEN,
        desc =
                "The cache was taken from a living thread, or the adopter pops a block that is not"
                        + " there.")
@State
public class DeadThreadsBlocksAreSeen {

    private static final int CLASS = SizeClasses.of(64, 8);
    private static final int BLOCKS = MagazineShape.blocks(CLASS);

    private volatile ThreadCache cache;
    private ThreadCache pushed; // written before its thread starts

    @Actor
    public void dying() {
        Thread thread = new Thread(this::push);
        ThreadCache own = ThreadCache.of(thread.threadId(), new WeakReference<>(thread));
        own.loaded[CLASS] = Magazine.make(BLOCKS);
        pushed = own;
        thread.start();
        cache = own;
    }

    private void push() {
        for (int i = 1; i <= BLOCKS; i++) {
            pushed.push(CLASS, i * 64L);
        }
    }

    @Actor
    public void adopter(L_Result r) {
        Thread self = Thread.currentThread();
        for (int i = 0; i < 10_000; i++) {
            ThreadCache seen = cache;
            if (seen != null && seen.adopt(self.threadId(), new WeakReference<>(self))) {
                r.r1 = Magazine.size(seen.loaded[CLASS]) == BLOCKS ? "all" : "some";
                return;
            }
            Thread.onSpinWait();
        }
        r.r1 = "alive";
    }
}
