package dev.kernelalloc.leak;

import dev.kernelalloc.Tracking;
import dev.kernelalloc.os.StartupProperty;

import java.util.Locale;

/** The system property that sets the tracking level of builders without a setting. */
public final class TrackingProperty extends StartupProperty<Tracking> {

    public static final String NAME = "dev.kernelalloc.tracking";

    private static final TrackingProperty INSTANCE = new TrackingProperty();

    private TrackingProperty() {
        super(NAME, "sampled");
    }

    /**
     * Returns the level that the process was started with.
     *
     * @throws IllegalArgumentException if the value cannot be understood
     */
    public static Tracking read() {
        return INSTANCE.value();
    }

    @Override
    protected Tracking parse(String value) {
        for (Tracking level : Tracking.values()) {
            if (level.name().toLowerCase(Locale.ROOT).equals(value.strip())) {
                return level;
            }
        }
        throw new IllegalArgumentException("must be off, sampled or all");
    }
}
