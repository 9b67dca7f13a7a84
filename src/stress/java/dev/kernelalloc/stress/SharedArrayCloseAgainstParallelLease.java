package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LLL_Result;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Spliterator;

@JCStressTest
@Description(
        "A piece of a lease's parallel stream, worked on by another thread while the array is"
                + " closed and its lease ended: the piece is worked on under a lease of its own, or"
                + " refused; the next owner of the block never sees it.")
@Outcome(id = "none, used and freed, returned", expect = ACCEPTABLE, desc = "No piece was there.")
@Outcome(
        id = "used, used and freed, returned",
        expect = ACCEPTABLE,
        desc = "The lease was out, or the piece had joined it in time.")
@Outcome(
        id = "closed, used and freed, returned",
        expect = ACCEPTABLE,
        desc = "The lease had ended before the piece was begun.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The piece has reached a block of another owner, or the block is lost.")
@State
public class SharedArrayCloseAgainstParallelLease {

    private static final int LONGS = 8;
    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final SharedArray<MemorySegment> array =
            NativeArray.zeroed(pool, LONG, 2 * LONGS).share();

    private volatile Spliterator<MemorySegment> piece;

    @Actor
    public void streamsAndCloses(LLL_Result r) {
        try (ArrayLease<MemorySegment> lease = array.lease()) {
            piece = lease.spliterator().trySplit();
            array.close();
        }
        MemorySegment block = pool.allocate(2 * LONGS * Long.BYTES, Long.BYTES);
        block.fill((byte) 7);
        r.r2 = Blocks.useAndFree(pool, block);
    }

    @Actor
    public void worksOnAPiece(LLL_Result r) {
        Spliterator<MemorySegment> mine = piece;
        if (mine == null) {
            r.r1 = "none";
            return;
        }
        String[] found = {"used"};
        try {
            mine.forEachRemaining(
                    element -> {
                        boolean own = Blocks.isFilledWith(element, (byte) 0);
                        element.fill((byte) 1);
                        if (!own || !Blocks.isFilledWith(element, (byte) 1)) {
                            found[0] = "stale";
                        }
                    });
            r.r1 = found[0];
        } catch (IllegalStateException e) {
            r.r1 = "closed";
        }
    }

    @Arbiter
    public void count(LLL_Result r) {
        pool.close();
        r.r3 = Blocks.accountOf(pool, true);
    }
}
