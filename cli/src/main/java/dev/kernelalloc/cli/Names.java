package dev.kernelalloc.cli;

import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The library's constants as written at the shell, for help and completion. */
final class Names {

    private Names() {}

    static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private static List<String> of(Enum<?>[] constants) {
        List<String> names = new ArrayList<>();
        for (Enum<?> constant : constants) {
            names.add(lower(constant));
        }
        return names;
    }

    static final class OfPages extends ArrayList<String> {

        private static final long serialVersionUID = 1;

        OfPages() {
            super(of(PagePolicy.values()));
        }
    }

    static final class OfGuarantees extends ArrayList<String> {

        private static final long serialVersionUID = 1;

        OfGuarantees() {
            super(of(Guarantee.values()));
        }
    }
}
