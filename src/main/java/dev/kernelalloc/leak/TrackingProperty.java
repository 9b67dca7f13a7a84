package dev.kernelalloc.leak;

import dev.kernelalloc.Tracking;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/**
 * The system property that sets the tracking level of builders without a setting, read once, at
 * first use. A wrong value is kept as its message, so that every use reports it, and none fails in
 * a class initialiser.
 */
public record TrackingProperty(Tracking level, @Nullable String mistake) {

    public static final String NAME = "dev.kernelalloc.tracking";

    private static volatile @Nullable TrackingProperty read;

    private static TrackingProperty of(String value) {
        for (Tracking level : Tracking.values()) {
            if (level.name().toLowerCase(Locale.ROOT).equals(value.strip())) {
                return new TrackingProperty(level, null);
            }
        }
        return new TrackingProperty(
                Tracking.SAMPLED,
                String.format(Locale.ROOT, "-D%s=%s: must be off, sampled or all", NAME, value));
    }

    /**
     * Returns the level that the process was started with.
     *
     * @throws IllegalArgumentException if the value cannot be understood
     */
    public static Tracking read() {
        TrackingProperty known = read;
        if (known == null) {
            known = of(System.getProperty(NAME, "sampled"));
            read = known;
        }
        if (known.mistake != null) {
            throw new IllegalArgumentException(known.mistake);
        }
        return known.level;
    }
}
