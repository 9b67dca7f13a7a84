package dev.kernelalloc.core;

import dev.kernelalloc.Hardening;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The system property that hardens allocators whose builders have no setting, read once, at first
 * use. A wrong value is kept as its message, so that every use reports it, and none fails in a
 * class initialiser.
 */
public record HardenedProperty(Set<Hardening> measures, @Nullable String mistake) {

    static final String NAME = "dev.kernelalloc.hardened";

    private static volatile @Nullable HardenedProperty read;

    static HardenedProperty of(String value) {
        try {
            return new HardenedProperty(Set.copyOf(parse(value)), null);
        } catch (IllegalArgumentException e) {
            return new HardenedProperty(
                    Set.of(),
                    String.format(Locale.ROOT, "-D%s=%s: %s", NAME, value, e.getMessage()));
        }
    }

    /**
     * Returns the value that the process was started with.
     *
     * @throws IllegalArgumentException if that cannot be understood
     */
    public static Set<Hardening> read() {
        HardenedProperty known = read;
        if (known == null) {
            known = of(System.getProperty(NAME, ""));
            read = known;
        }
        if (known.mistake != null) {
            throw new IllegalArgumentException(known.mistake);
        }
        return known.measures;
    }

    /**
     * Reads a value of the property.
     *
     * @throws IllegalArgumentException if it is none; the text has no name of the property
     */
    private static Set<Hardening> parse(String value) {
        String text = value.strip().toLowerCase(Locale.ROOT);
        if (text.isEmpty() || text.equals("false")) {
            return Set.of();
        }
        return text.equals("true") ? EnumSet.allOf(Hardening.class) : listed(text);
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
