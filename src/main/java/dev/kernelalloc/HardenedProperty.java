package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

import java.util.Locale;
import java.util.Set;

/**
 * The system property that hardens allocators whose builders have no setting, read once, at first
 * use. A wrong value is kept as its message, so that every use reports it, and none fails in a
 * class initialiser.
 */
record HardenedProperty(Set<Hardening> measures, @Nullable String mistake) {

    static final String NAME = "dev.kernelalloc.hardened";

    private static volatile @Nullable HardenedProperty read;

    static HardenedProperty of(String value) {
        try {
            return new HardenedProperty(Set.copyOf(Hardening.parse(value)), null);
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
    static Set<Hardening> read() {
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
}
