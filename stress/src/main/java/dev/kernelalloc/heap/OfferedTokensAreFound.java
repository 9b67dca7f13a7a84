package dev.kernelalloc.heap;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

@JCStressTest
@Description(
        "Tokens that two threads offer at once are both found, also behind a search that finds"
                + " nothing.")
@Outcome(id = "both", expect = ACCEPTABLE, desc = "Each slab can be claimed, once.")
@Outcome(
        expect = FORBIDDEN,
        desc = "A slab has free blocks, nobody holds its token, and nobody finds it.")
@State
public class OfferedTokensAreFound {

    private static final int CLASS = SizeClasses.of(64 << 10, 8);

    private final Bin bin = new Bin(SlabShape.of(CLASS, new PaperChunks()));
    private final Slab one = PaperChunks.slabIn(bin);
    private final Slab other = PaperChunks.slabIn(bin);

    public OfferedTokensAreFound() {
        bin.add(one);
        bin.add(other);
    }

    @Actor
    public void offers() {
        bin.offer(one);
    }

    @Actor
    public void searchesAndOffers() {
        Slab found = bin.claim();
        if (found != null) {
            bin.offer(found);
        }
        bin.offer(other);
    }

    @Arbiter
    public void find(L_Result r) {
        Slab a = bin.claim();
        Slab b = bin.claim();
        boolean both = a == one && b == other || a == other && b == one;
        r.r1 = both && bin.claim() == null ? "both" : "lost";
    }
}
