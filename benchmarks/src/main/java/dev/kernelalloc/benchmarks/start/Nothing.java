package dev.kernelalloc.benchmarks.start;

/** The time of the JVM itself. */
final class Nothing {

    private Nothing() {}

    /** Started as a program. */
    public static void main(String[] arguments) {}
}
