package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.NativeSlice;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;

/**
 * Reads and writes a field of each of 10,000 structs in a mapped file. One operation is one struct.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(MappedBenchmark.STRUCTS)
public class MappedBenchmark {

    static final int STRUCTS = 10_000;

    @Param({"CLEAN", "POLLUTED"})
    Profile profile;

    private Path file;
    private Arena arena;
    private MemorySegment mapped;
    private NativeSlice<Particle> views;
    private NativeSlice<Particle.Copy> records;

    public MappedBenchmark() {}

    @Setup
    public void map() throws IOException {
        profile.set();
        file = Files.createTempFile("mapped", "");
        arena = Arena.ofShared();
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long bytes = STRUCTS * Particle.Raw.BYTES;
            mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        }
        views = NativeSlice.over(Particle.VIEW, mapped);
        records = NativeSlice.over(Particle.COPY, mapped);
    }

    @TearDown
    public void unmap() throws IOException {
        arena.close();
        Files.delete(file);
    }

    @Benchmark
    public long rawReading() {
        long sum = 0;
        MemorySegment local = mapped;
        for (int i = 0; i < STRUCTS; i++) {
            sum += (int) Particle.Raw.X.get(local, i * Particle.Raw.BYTES);
        }
        return sum;
    }

    @Benchmark
    public long views() {
        long sum = 0;
        NativeSlice<Particle> local = views;
        for (int i = 0; i < STRUCTS; i++) {
            sum += local.get(i).x();
        }
        return sum;
    }

    @Benchmark
    public long records() {
        long sum = 0;
        NativeSlice<Particle.Copy> local = records;
        for (int i = 0; i < STRUCTS; i++) {
            sum += local.get(i).x();
        }
        return sum;
    }

    @Benchmark
    public void rawWriting() {
        MemorySegment local = mapped;
        for (int i = 0; i < STRUCTS; i++) {
            Particle.Raw.X.set(local, i * Particle.Raw.BYTES, i);
        }
    }

    @Benchmark
    public void writingViews() {
        NativeSlice<Particle> local = views;
        for (int i = 0; i < STRUCTS; i++) {
            local.get(i).x(i);
        }
    }
}
