package dev.kernelalloc.benchmarks.heap;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * From an address that was stored to the block, of which eight bytes are read: by the pool; by a
 * map of the program's own, which is as safe; and by a restricted call, which believes any address.
 * Blocks of 64 B are all alive and are visited in random order.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class StoredAddressBenchmark {

    private static final long BYTES = 64;

    @Param({"1000", "1000000"})
    int blocks;

    private long[] addresses;
    private int next;
    private Map<Long, MemorySegment> segments;

    public StoredAddressBenchmark() {}

    @Setup
    public void allocate() {
        Random random = new Random(1);
        addresses = new long[blocks];
        segments = new ConcurrentHashMap<>();
        for (int i = 0; i < blocks; i++) {
            MemorySegment block = Library.POOL.allocate(BYTES, Long.BYTES);
            block.set(ValueLayout.JAVA_LONG, 0, i);
            segments.put(block.address(), block);
            int other = random.nextInt(i + 1);
            addresses[i] = addresses[other];
            addresses[other] = block.address();
        }
    }

    @TearDown
    public void free() {
        for (long address : addresses) {
            Library.POOL.free(MemorySegment.ofAddress(address));
        }
    }

    private long nextAddress() {
        next = next + 1 == blocks ? 0 : next + 1;
        return addresses[next];
    }

    @Benchmark
    public long blockAt() {
        return Library.POOL.blockAt(nextAddress()).get(ValueLayout.JAVA_LONG, 0);
    }

    @Benchmark
    public long mapOfSegments() {
        return segments.get(nextAddress()).get(ValueLayout.JAVA_LONG, 0);
    }

    @Benchmark
    @SuppressWarnings("restricted")
    public long reinterpretUnchecked() {
        return MemorySegment.ofAddress(nextAddress())
                .reinterpret(BYTES)
                .get(ValueLayout.JAVA_LONG, 0);
    }
}
