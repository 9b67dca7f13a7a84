package dev.kernelalloc.benchmarks.start;

import dev.kernelalloc.KernelAllocator;

/** One block of the library. */
final class FirstBlock {

    private FirstBlock() {}

    /** Started as a program. */
    public static void main(String[] arguments) {
        KernelAllocator.global().free(KernelAllocator.global().allocate(64, 8));
    }
}
