package dev.kernelalloc.arrow.benchmarks;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.util.concurrent.TimeUnit;

/** One buffer after the other. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BufferBenchmark {

    @Param Peer peer;

    @Param({"256", "4096", "65536", "1048576"})
    int bytes;

    private BufferAllocator root;

    /** Keeps the JIT from removing the buffer's object. */
    private ArrowBuf current;

    @Setup
    public void create() {
        root = peer.root();
    }

    @Benchmark
    public long allocateRelease() {
        try (ArrowBuf buffer = root.buffer(bytes)) {
            current = buffer;
            buffer.setLong(0, bytes);
            buffer.setLong(bytes - 8, 1);
            return buffer.getLong(0);
        }
    }
}
