package dev.kernelalloc.core;

import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.os.StartupProperty;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The system property that limits the shared pool, and the global allocator if that is another. */
public final class LimitProperty extends StartupProperty<Long> {

    static final String NAME = "dev.kernelalloc.limit";

    private static final LimitProperty INSTANCE = new LimitProperty();

    private static final String SIZE = "(\\d{1,18})([kKmMgG]?)";

    private LimitProperty() {
        super(NAME, "");
    }

    /**
     * Returns the number of bytes that the process was started with.
     *
     * @throws IllegalArgumentException if that cannot be understood
     */
    public static long read() {
        return INSTANCE.value();
    }

    @Override
    protected Long parse(String value) {
        if (value.isEmpty()) {
            return Budget.UNLIMITED;
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
                return number << shift;
            }
        }
        throw new IllegalArgumentException(
                "must be a number of bytes, or one with k, m or g behind it, such as 512m");
    }
}
