package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.Lease;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LL_Result;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

@JCStressTest
@Description(
        "A shared box closed while another thread takes a lease and writes: it writes in time, or"
                + " gets IllegalStateException; the next owner of the block never sees it.")
@Outcome(id = "used, returned", expect = ACCEPTABLE, desc = "The lease was first.")
@Outcome(id = "closed, returned", expect = ACCEPTABLE, desc = "The close was first.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The lease has reached a block of another owner, or the block is lost.")
@State
public class SharedBoxCloseAgainstLease {

    private static final StructType<MemorySegment> LONGS =
            StructType.of(MemoryLayout.sequenceLayout(8, ValueLayout.JAVA_LONG));

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final SharedBox<MemorySegment> box = SharedBox.zeroed(pool, LONGS);
    private String next = "";

    @Actor
    public void leases(LL_Result r) {
        try (Lease<MemorySegment> lease = box.lease()) {
            boolean own = Blocks.isFilledWith(lease.segment(), (byte) 0);
            lease.segment().fill((byte) 1);
            r.r1 = own && Blocks.isFilledWith(lease.segment(), (byte) 1) ? "used" : "stale";
        } catch (IllegalStateException e) {
            r.r1 = "closed";
        }
    }

    @Actor
    public void closes() {
        box.close();
        MemorySegment block = pool.allocate(LONGS.byteSize(), LONGS.byteAlignment());
        block.fill((byte) 7);
        next = Blocks.useAndFree(pool, block);
    }

    @Arbiter
    public void count(LL_Result r) {
        pool.close();
        r.r2 = next.equals("used and freed") ? Blocks.accountOf(pool, true) : next;
    }
}
