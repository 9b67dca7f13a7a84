package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;

/** Reports a figure of a program. */
final class Report {

    private Report() {}

    static void print(Figure figure, double value) {
        System.out.println(figure.name() + " " + value);
    }
}
