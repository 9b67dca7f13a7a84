package dev.kernelalloc.benchmarks;

/** A program that runs in a process of its own and reports its figures. */
public sealed interface Case permits JmhCase, JavaProgram, CProgram, DpdkProgram {

    /** Returns the name of the allocator, for a reader of the table. */
    String label();
}
