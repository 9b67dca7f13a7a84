package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeBox;
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
@Description(
        "A shared box detached while another thread takes a lease and writes: one of them is"
                + " refused, unless the lease has ended before.")
@Outcome(id = "used, detached, returned", expect = ACCEPTABLE, desc = "The lease was over.")
@Outcome(id = "closed, detached, returned", expect = ACCEPTABLE, desc = "The detach was first.")
@Outcome(id = "used, refused, returned", expect = ACCEPTABLE, desc = "The lease was out.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The lease has reached the memory of the new owner, or the block is lost.")
@State
public class SharedBoxDetachAgainstLease {

    private static final StructType<MemorySegment> LONGS =
            StructType.of(MemoryLayout.sequenceLayout(8, ValueLayout.JAVA_LONG));

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final SharedBox<MemorySegment> box = SharedBox.zeroed(pool, LONGS);

    @Actor
    public void leases(LLL_Result r) {
        try (Lease<MemorySegment> lease = box.lease()) {
            lease.segment().fill((byte) 1);
            r.r1 = Blocks.isFilledWith(lease.segment(), (byte) 1) ? "used" : "stale";
        } catch (IllegalStateException e) {
            r.r1 = "closed";
        }
    }

    @Actor
    public void detaches(LLL_Result r) {
        try (NativeBox<MemorySegment> mine = box.detach().attach()) {
            mine.segment().fill((byte) 7);
            r.r2 = Blocks.isFilledWith(mine.segment(), (byte) 7) ? "detached" : "stale";
        } catch (IllegalStateException e) {
            r.r2 = "refused";
        }
    }

    @Arbiter
    public void count(LLL_Result r) {
        if (r.r2.equals("refused")) {
            box.close();
        }
        pool.close();
        r.r3 = Blocks.accountOf(pool, true);
    }
}
