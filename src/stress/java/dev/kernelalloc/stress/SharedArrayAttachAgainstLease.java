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

@JCStressTest
@Description(
        "A shared array made one thread's again while another thread takes a lease and writes: one"
                + " of them is refused, unless the lease has ended before.")
@Outcome(id = "used, attached, returned", expect = ACCEPTABLE, desc = "The lease was over.")
@Outcome(id = "closed, attached, returned", expect = ACCEPTABLE, desc = "The attach was first.")
@Outcome(id = "used, refused, returned", expect = ACCEPTABLE, desc = "The lease was out.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The lease has reached the memory of the one owner, or the block is lost.")
@State
public class SharedArrayAttachAgainstLease {

    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final SharedArray<MemorySegment> array = NativeArray.zeroed(pool, LONG, 8).share();

    @Actor
    public void leases(LLL_Result r) {
        try (ArrayLease<MemorySegment> lease = array.lease()) {
            lease.segment().fill((byte) 1);
            r.r1 = Blocks.isFilledWith(lease.segment(), (byte) 1) ? "used" : "stale";
        } catch (IllegalStateException e) {
            r.r1 = "closed";
        }
    }

    @Actor
    public void attaches(LLL_Result r) {
        try (NativeArray<MemorySegment> mine = array.attach()) {
            mine.segment().fill((byte) 7);
            r.r2 = Blocks.isFilledWith(mine.segment(), (byte) 7) ? "attached" : "stale";
        } catch (IllegalStateException e) {
            r.r2 = "refused";
        }
    }

    @Arbiter
    public void count(LLL_Result r) {
        if (r.r2.equals("refused")) {
            array.close();
        }
        pool.close();
        r.r3 = Blocks.accountOf(pool, true);
    }
}
