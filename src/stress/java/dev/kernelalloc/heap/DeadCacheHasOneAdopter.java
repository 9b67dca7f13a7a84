package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LL_Result;

import java.lang.ref.WeakReference;

@JCStressTest
@Description("The cache of a dead thread is adopted by exactly one of those who try.")
@Outcome(id = "adopted, refused", expect = ACCEPTABLE, desc = "The first was faster.")
@Outcome(id = "refused, adopted", expect = ACCEPTABLE, desc = "The second was faster.")
@Outcome(
        expect = FORBIDDEN,
        desc = "Two threads own the same slabs, or the cache of a dead thread stays" + " nobody's.")
@State
public class DeadCacheHasOneAdopter {

    private static final Thread DEAD = dead();

    /** The adopting thread; jcstress also runs actors on threads that die between the two. */
    private static final Thread LIVING = Thread.currentThread();

    private final SlabCache cache = SlabCache.vacant(new CacheBudget(0), 0);

    public DeadCacheHasOneAdopter() {
        cache.adopt(DEAD.threadId(), new WeakReference<>(DEAD));
    }

    @Actor
    public void first(LL_Result r) {
        r.r1 = adopt();
    }

    @Actor
    public void second(LL_Result r) {
        r.r2 = adopt();
    }

    private String adopt() {
        return cache.adopt(LIVING.threadId(), new WeakReference<>(LIVING)) ? "adopted" : "refused";
    }

    private static Thread dead() {
        Thread thread = new Thread(); // a lambda of this class would wait for its initialiser
        thread.start();
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return thread;
    }
}
