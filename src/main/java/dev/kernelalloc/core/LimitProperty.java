package dev.kernelalloc.core;

import dev.kernelalloc.heap.Budget;

import org.jspecify.annotations.Nullable;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The system property that limits the shared pool, and the global allocator if that is another,
 * read once, at first use. A wrong value is kept as its message, so that every use reports it, and
 * none fails in a class initialiser.
 */
public record LimitProperty(long bytes, @Nullable String mistake) {

    static final String NAME = "dev.kernelalloc.limit";

    private static final String SIZE = "(\\d{1,18})([kKmMgG]?)";

    private static volatile @Nullable LimitProperty read;

    static LimitProperty of(String value) {
        if (value.isEmpty()) {
            return new LimitProperty(Budget.UNLIMITED, null);
        }
        Matcher size = Pattern.compile(SIZE).matcher(value);
        if (size.matches()) {
            long number = Long.parseLong(size.group(1));
            int shift =
                    switch (size.group(2)) {
                        case "k", "K" -> 10;
                        case "m", "M" -> 20;
                        case "g", "G" -> 30;
                        default -> 0;
                    };
            if (number <= Long.MAX_VALUE >>> shift) {
                return new LimitProperty(number << shift, null);
            }
        }
        return new LimitProperty(
                Budget.UNLIMITED,
                String.format(
                        Locale.ROOT,
                        "-D%s=%s: must be a number of bytes, or one with k, m or g behind it, such"
                                + " as 512m",
                        NAME,
                        value));
    }

    /**
     * Returns the value that the process was started with.
     *
     * @throws IllegalArgumentException if that cannot be understood
     */
    public static long read() {
        LimitProperty known = read;
        if (known == null) {
            known = of(System.getProperty(NAME, ""));
            read = known;
        }
        if (known.mistake != null) {
            throw new IllegalArgumentException(known.mistake);
        }
        return known.bytes;
    }
}
