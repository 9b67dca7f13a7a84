package dev.kernelalloc.benchmarks;

/** The figures of a case. A program prints a figure as its name, a space and the value. */
public enum Figure {
    /** Time on the clock for one operation; with several threads, of all of them together. */
    NANOS("ns"),
    /** Time on the clock for a whole process, from its start to its end. */
    START("ms"),
    /** The longest time that another thread waits for a safepoint while one operation runs. */
    SAFEPOINT("ms"),
    /** The median time of one operation. */
    MEDIAN("µs"),
    /** Its 99.99th percentile. */
    TAIL("µs"),
    /** Its maximum. */
    LONGEST("µs"),
    /** Bytes of the Java heap that one operation allocates. */
    HEAP_BYTES("B"),
    /**
     * Resident memory over the start after everything has been freed and some seconds have passed.
     */
    RETAINED("MiB"),
    /** The same after a {@code trim()}. */
    TRIMMED("MiB"),
    /** Resident memory over the start divided by what is alive, at worst. */
    SPREAD("×"),
    /** Resident memory that came with ten times as many threads. */
    GROWN("MiB"),
    /** Resident memory that came with each thread. */
    OF_A_THREAD("KiB"),
    /** Java heap that came with each thread. */
    HEAP_OF_A_THREAD("KiB"),
    /** Resident memory over the start while everything is alive. */
    RESIDENT("MiB"),
    /** Throughput of two threads over that of one, by the same ratio for a loop of arithmetic. */
    SCALING("×"),
    /** Throughput of 64 threads over that of two. */
    MANY_THREADS("×"),
    /** The most that a block occupies beyond max(size, alignment). */
    WASTE("%"),
    /** The same for blocks above 1 KiB. */
    WASTE_ABOVE_1K("%");

    private final String unit;

    Figure(String unit) {
        this.unit = unit;
    }

    String unit() {
        return unit;
    }
}
