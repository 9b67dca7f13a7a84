package dev.kernelalloc.netty.benchmarks;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.DefaultThreadFactory;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** One buffer after the other, on a thread like those of event loops. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BufferBenchmark {

    /** Threads of Netty's, for which its pools cache. JMH makes it by name. */
    public static final class NettyThreads extends ThreadPoolExecutor {

        /** As JMH calls it. */
        public NettyThreads(int threads, String prefix) {
            super(
                    threads,
                    threads,
                    0,
                    TimeUnit.SECONDS,
                    new LinkedBlockingQueue<>(),
                    new DefaultThreadFactory(prefix, true));
        }
    }

    @Param Peer peer;

    @Param({"256", "4096", "65536"})
    int bytes;

    private ByteBufAllocator allocator;

    /** Keeps the JIT from removing the buffer's object. */
    private ByteBuf current;

    @Setup
    public void create() {
        allocator = peer.create();
    }

    @Benchmark
    public long allocateRelease() {
        ByteBuf buffer = allocator.directBuffer(bytes);
        current = buffer;
        buffer.setLong(0, bytes);
        buffer.setLong(bytes - 8, 1);
        long read = buffer.getLong(0);
        buffer.release();
        return read;
    }
}
