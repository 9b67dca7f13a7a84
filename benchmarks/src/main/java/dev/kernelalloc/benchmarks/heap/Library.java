package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.PoolAllocator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** The allocator that is measured: a constant, as in a program that has one. */
public final class Library {

    /** A system property: which allocator. */
    static final String KIND = "benchmarks.allocator";

    public static final PoolAllocator POOL =
            switch (System.getProperty(KIND, "shared")) {
                case "shared" -> PoolAllocator.shared();
                case "own" -> PoolAllocator.create();
                case "source" -> PoolAllocator.builder().source(Library::obtain).build();
                case "hardened" -> PoolAllocator.builder().hardened(true).build();
                case String other -> throw new IllegalArgumentException(KIND + "=" + other);
            };

    private Library() {}

    /** The least that a source can do: so the figure is that of the pool. */
    private static Optional<MemorySegment> obtain(long bytes, long alignment, Arena lifetime) {
        return Optional.of(lifetime.allocate(bytes, alignment));
    }
}
