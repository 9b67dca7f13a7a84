package dev.kernelalloc.benchmarks.start;

/** What the JVM itself takes. */
final class Nothing {

    private Nothing() {}

    /** Started as a program. */
    public static void main(String[] arguments) {}
}
