package dev.kernelalloc.cli;

import picocli.CommandLine.TypeConversionException;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A time as people write it: {@code 5}, {@code 1.5s}, {@code 500ms}, {@code 2m}. */
final class Seconds {

    private static final Pattern WRITTEN = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,9})?)(ms|s|m|)");

    private Seconds() {}

    static Duration parse(String text) {
        Matcher written = WRITTEN.matcher(text.strip());
        if (written.matches()) {
            long unitMillis =
                    switch (written.group(2)) {
                        case "ms" -> 1;
                        case "m" -> 60_000;
                        default -> 1_000;
                    };
            BigDecimal millis =
                    new BigDecimal(written.group(1)).multiply(BigDecimal.valueOf(unitMillis));
            if (millis.longValue() > 0) {
                return Duration.ofMillis(millis.longValue());
            }
        }
        throw new TypeConversionException(
                String.format(
                        Locale.ROOT,
                        "'%s' is no time: write for example 5, 1.5s, 500ms or 2m",
                        text));
    }
}
