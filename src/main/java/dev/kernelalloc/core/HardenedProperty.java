package dev.kernelalloc.core;

import dev.kernelalloc.Hardening;
import dev.kernelalloc.os.StartupProperty;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** The system property that hardens allocators whose builders have no setting. */
public final class HardenedProperty extends StartupProperty<Set<Hardening>> {

    static final String NAME = "dev.kernelalloc.hardened";

    private static final HardenedProperty INSTANCE = new HardenedProperty();

    private HardenedProperty() {
        super(NAME, "");
    }

    /**
     * Returns the value that the process was started with.
     *
     * @throws IllegalArgumentException if that cannot be understood
     */
    public static Set<Hardening> read() {
        return INSTANCE.value();
    }

    @Override
    protected Set<Hardening> parse(String value) {
        String text = value.strip().toLowerCase(Locale.ROOT);
        if (text.isEmpty() || text.equals("false")) {
            return Set.of();
        }
        return Set.copyOf(text.equals("true") ? EnumSet.allOf(Hardening.class) : listed(text));
    }

    private static Set<Hardening> listed(String text) {
        Set<Hardening> measures = EnumSet.noneOf(Hardening.class);
        for (String title : text.split(",", -1)) {
            measures.add(titled(title.strip()));
        }
        return measures;
    }

    private static Hardening titled(String title) {
        for (Hardening measure : Hardening.values()) {
            if (title(measure).equals(title)) {
                return measure;
            }
        }
        throw new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "'%s' is no measure: write true, false, or a list of %s",
                        title,
                        Arrays.stream(Hardening.values())
                                .map(HardenedProperty::title)
                                .collect(Collectors.joining(","))));
    }

    private static String title(Hardening measure) {
        return measure.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
