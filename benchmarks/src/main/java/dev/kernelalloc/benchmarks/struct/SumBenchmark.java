package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.PoolAllocator;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;

/** Summing one field over 10,000 structs in one block. One operation is one struct. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(SumBenchmark.STRUCTS)
public class SumBenchmark {

    static final int STRUCTS = 10_000;

    @Param({"CLEAN", "POLLUTED"})
    Profile profile;

    private MemorySegment block;
    private Peers.JavolutionParticle javolution;
    private Peers.LwjglTimespecs lwjgl;

    public SumBenchmark() {}

    @Setup
    public void fill() {
        profile.set();
        block = PoolAllocator.shared().arena().allocate(STRUCTS * Particle.Raw.BYTES, 64);
        for (int i = 0; i < STRUCTS; i++) {
            block.set(ValueLayout.JAVA_INT, i * Particle.Raw.BYTES, i);
        }
        javolution = new Peers.JavolutionParticle(STRUCTS);
        lwjgl = new Peers.LwjglTimespecs(STRUCTS);
    }

    @Benchmark
    public long raw() {
        long sum = 0;
        MemorySegment local = block;
        for (int i = 0; i < STRUCTS; i++) {
            sum += (int) Particle.Raw.X.get(local, i * Particle.Raw.BYTES);
        }
        return sum;
    }

    @Benchmark
    public long views() {
        long sum = 0;
        MemorySegment local = block;
        for (int i = 0; i < STRUCTS; i++) {
            sum += Particle.VIEW.get(local, i * Particle.Raw.BYTES).x();
        }
        return sum;
    }

    @Benchmark
    public long records() {
        long sum = 0;
        MemorySegment local = block;
        for (int i = 0; i < STRUCTS; i++) {
            sum += Particle.COPY.get(local, i * Particle.Raw.BYTES).x();
        }
        return sum;
    }

    @Benchmark
    public long jextractStyle() {
        long sum = 0;
        MemorySegment local = block;
        for (int i = 0; i < STRUCTS; i++) {
            sum +=
                    Peers.JextractParticle.x(
                            local.asSlice(i * Particle.Raw.BYTES, Particle.Raw.BYTES));
        }
        return sum;
    }

    @Benchmark
    public long lwjglStruct() {
        return lwjgl.sum();
    }

    @Benchmark
    public long javolutionStruct() {
        return javolution.sum();
    }
}
