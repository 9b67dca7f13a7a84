package dev.kernelalloc.cli;

import dev.kernelalloc.physical.Guarantee;

import java.util.Collection;
import java.util.Locale;
import java.util.stream.Collectors;

/** Sets of guarantees as they are printed. */
final class Guarantees {

    private Guarantees() {}

    /** For example {@code resident+locked}, in the order of the enum. */
    static String text(Collection<Guarantee> guarantees) {
        return guarantees.stream()
                .sorted()
                .map(guarantee -> guarantee.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining("+"));
    }
}
