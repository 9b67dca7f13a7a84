package dev.kernelalloc.benchmarks.heap;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.util.concurrent.TimeUnit;

/**
 * Many live blocks of mixed sizes. An operation frees one at random and allocates another in its
 * place.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(Touch.OPERATIONS)
public class ReplaceBenchmark {

    @Param("RAW")
    Peer peer;

    @Param("1000")
    int count;

    private final Xorshift random = new Xorshift(0);
    private Blocks blocks;

    public ReplaceBenchmark() {}

    @Setup
    public void fill() {
        blocks = peer.memory().blocks(count);
        for (int slot = 0; slot < count; slot++) {
            blocks.allocate(slot, SizeMix.size(random.next()), CFunctions.NATURAL_ALIGNMENT, slot);
        }
    }

    @Benchmark
    public long replaceAny() {
        long sum = 0;
        for (int i = 0; i < Touch.OPERATIONS; i++) {
            int slot = random.below(count);
            sum += blocks.free(slot);
            blocks.allocate(slot, SizeMix.size(random.next()), CFunctions.NATURAL_ALIGNMENT, i);
        }
        return sum;
    }
}
