package dev.kernelalloc.benchmarks;

/** Something that is run in a process of its own and tells its figures. */
public sealed interface Case permits JmhCase, JavaProgram, CProgram {

    /** Who does the work, for a reader of the table. */
    String label();
}
