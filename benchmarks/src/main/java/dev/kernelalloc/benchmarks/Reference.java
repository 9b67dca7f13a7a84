package dev.kernelalloc.benchmarks;

import java.util.List;

/** The figure that another is compared with. */
public sealed interface Reference {

    /** Nothing: the bar is for the figure itself. */
    Reference NOTHING = new Nothing();

    static Reference to(Case one) {
        return new Best(one.label(), List.of(one));
    }

    /** The least of several, selected in every round. */
    static Reference best(String name, List<? extends Case> cases) {
        return new Best("best " + name, List.copyOf(cases));
    }

    record Nothing() implements Reference {}

    /**
     * The least.
     *
     * @param name of them together
     * @param cases none when none of them can run on this machine
     */
    record Best(String name, List<Case> cases) implements Reference {}
}
