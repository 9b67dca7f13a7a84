package dev.kernelalloc.benchmarks;

/** The value that a figure, or its ratio to another, must reach. */
public sealed interface Bar {

    /** Nothing: it is only shown. */
    Bar REPORTED = new Reported();

    static Bar atMost(double limit) {
        return new AtMost(limit);
    }

    static Bar atLeast(double limit) {
        return new AtLeast(limit);
    }

    /** Whether there is something to reach. */
    default boolean isSet() {
        return !(this instanceof Reported);
    }

    /** Returns whether a value reaches it. A missing value does not. */
    default boolean isReached(double value) {
        return switch (this) {
            case Reported _ -> true;
            case AtMost(double limit) -> value <= limit;
            case AtLeast(double limit) -> value >= limit;
        };
    }

    /** Formats the bar for the table. */
    default String text() {
        return switch (this) {
            case Reported _ -> "";
            case AtMost(double limit) -> "≤ %.2f".formatted(limit);
            case AtLeast(double limit) -> "≥ %.2f".formatted(limit);
        };
    }

    record Reported() implements Bar {}

    record AtMost(double limit) implements Bar {}

    record AtLeast(double limit) implements Bar {}
}
