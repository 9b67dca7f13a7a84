package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.PoolAllocator;

/** The allocator that is measured: a constant, as in a program that has one. */
public final class Library {

    /** A system property: which allocator. */
    static final String KIND = "benchmarks.allocator";

    public static final PoolAllocator POOL =
            switch (System.getProperty(KIND, "shared")) {
                case "shared" -> PoolAllocator.shared();
                case "own" -> PoolAllocator.create();
                case "hardened" -> PoolAllocator.builder().hardened(true).build();
                case String other -> throw new IllegalArgumentException(KIND + "=" + other);
            };

    private Library() {}
}
