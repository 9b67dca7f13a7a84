package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;

/** How a program tells a figure. */
final class Report {

    private Report() {}

    static void print(Figure figure, double value) {
        System.out.println(figure.name() + " " + value);
    }
}
