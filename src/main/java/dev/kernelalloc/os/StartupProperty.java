package dev.kernelalloc.os;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/**
 * A system property that the process was started with, read once, at first use. A wrong value is
 * kept as its message, so that every use reports it, and none fails in a class initialiser.
 *
 * @param <T> the type of its value
 */
public abstract class StartupProperty<T> {

    private final String name;
    private final String absent;
    private volatile @Nullable Reading<T> reading;

    /**
     * For a property that has not been read.
     *
     * @param absent what is parsed if the property is not set; it is not wrong
     */
    protected StartupProperty(String name, String absent) {
        this.name = name;
        this.absent = absent;
    }

    /**
     * Parses a value of the property.
     *
     * @throws IllegalArgumentException if it is none; the text does not name the property
     */
    protected abstract T parse(String value);

    /**
     * Returns the value that the process was started with.
     *
     * @throws IllegalArgumentException if that cannot be understood
     */
    public final T value() {
        Reading<T> known = reading;
        if (known == null) {
            known = read();
            reading = known;
        }
        return known.value();
    }

    private Reading<T> read() {
        String text = System.getProperty(name, absent);
        try {
            return new Understood<>(parse(text));
        } catch (IllegalArgumentException e) {
            return new Mistaken<>(
                    String.format(Locale.ROOT, "-D%s=%s: %s", name, text, e.getMessage()));
        }
    }

    /** The outcome of reading the property. */
    private sealed interface Reading<T> {
        T value();
    }

    private record Understood<T>(T value) implements Reading<T> {}

    private record Mistaken<T>(String message) implements Reading<T> {
        @Override
        public T value() {
            throw new IllegalArgumentException(message);
        }
    }
}
