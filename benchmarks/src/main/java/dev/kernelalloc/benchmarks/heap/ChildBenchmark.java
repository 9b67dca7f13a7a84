package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.PoolAllocator;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;

/** A child allocator for one query: opened, used for twenty blocks one after the other, closed. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ChildBenchmark {

    private static final long LIMIT_BYTES = 64L << 20;
    private static final int BLOCKS = 20;

    /** The class of the other is not loaded: a peer needs flags of its own. */
    private static final class Arrow {
        static final BufferAllocator ROOT = new RootAllocator(LIMIT_BYTES);
    }

    private static final class Library {
        static final PoolAllocator PARENT = PoolAllocator.builder().limit(LIMIT_BYTES).build();
        static final PoolAllocator UNLIMITED = PoolAllocator.create();
    }

    private long value;

    public ChildBenchmark() {}

    @Benchmark
    public long library() {
        try (PoolAllocator child = Library.PARENT.child("query", LIMIT_BYTES)) {
            return use(child);
        }
    }

    @Benchmark
    public long libraryUnlimited() {
        try (PoolAllocator child = Library.UNLIMITED.child("query", Long.MAX_VALUE)) {
            return use(child);
        }
    }

    private long use(PoolAllocator child) {
        long sum = 0;
        for (int i = 0; i < BLOCKS; i++) {
            MemorySegment block = child.allocate(size(i), 8);
            block.set(ValueLayout.JAVA_LONG, 0, value++);
            sum += block.get(ValueLayout.JAVA_LONG, 0);
            child.free(block);
        }
        return sum;
    }

    @Benchmark
    public long arrow() {
        long sum = 0;
        try (BufferAllocator child = Arrow.ROOT.newChildAllocator("query", 0, LIMIT_BYTES)) {
            for (int i = 0; i < BLOCKS; i++) {
                try (ArrowBuf block = child.buffer(size(i))) {
                    block.setLong(0, value++);
                    sum += block.getLong(0);
                }
            }
        }
        return sum;
    }

    /** Five sizes in turn, 64 B to 1 KiB. */
    private static long size(int block) {
        return 64L << block % 5;
    }
}
