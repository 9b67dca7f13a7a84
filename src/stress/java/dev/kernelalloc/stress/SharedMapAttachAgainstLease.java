package dev.kernelalloc.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.map.MapLease;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;
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
        "A shared map made one thread's again while another thread takes a lease and writes: one"
                + " of them is refused, unless the lease has ended before.")
@Outcome(id = "used, attached, returned", expect = ACCEPTABLE, desc = "The lease was over.")
@Outcome(id = "closed, attached, returned", expect = ACCEPTABLE, desc = "The attach was first.")
@Outcome(id = "used, refused, returned", expect = ACCEPTABLE, desc = "The lease was out.")
@Outcome(
        expect = FORBIDDEN,
        desc = "The lease has reached the memory of the one owner, or the block is lost.")
@State
public class SharedMapAttachAgainstLease {

    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    private final PoolAllocator pool = PoolAllocator.builder().cacheBytes(0, 0).build();
    private final SharedMap<MemorySegment> map = map(pool).share();

    private static NativeMap<MemorySegment> map(PoolAllocator pool) {
        NativeMap<MemorySegment> map = NativeMap.create(pool, LONG);
        map.getOrAdd(1);
        return map;
    }

    @Actor
    public void leases(LLL_Result r) {
        try (MapLease<MemorySegment> lease = map.lease()) {
            lease.get(1).fill((byte) 1);
            r.r1 = Blocks.isFilledWith(lease.get(1), (byte) 1) ? "used" : "stale";
        } catch (IllegalStateException e) {
            r.r1 = "closed";
        }
    }

    @Actor
    public void attaches(LLL_Result r) {
        try (NativeMap<MemorySegment> mine = map.attach()) {
            mine.getOrAdd(2); // moves entries
            mine.get(1).fill((byte) 7);
            r.r2 = Blocks.isFilledWith(mine.get(1), (byte) 7) ? "attached" : "stale";
        } catch (IllegalStateException e) {
            r.r2 = "refused";
        }
    }

    @Arbiter
    public void count(LLL_Result r) {
        if (r.r2.equals("refused")) {
            map.close();
        }
        pool.close();
        r.r3 = Blocks.accountOf(pool, true);
    }
}
