package dev.kernelalloc.cli;

import picocli.CommandLine.TypeConversionException;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A number of bytes as people write it: {@code 4096}, {@code 64KiB}, {@code 2M}, {@code 1.5 GiB}.
 * Units are powers of 1,024, as everywhere in memory, with or without an {@code i} and a {@code B}.
 *
 * @param bytes not negative
 */
record ByteCount(long bytes) {

    private static final String UNITS = "KMGTP";
    private static final int UNIT_BITS = 10;

    private static final Pattern WRITTEN =
            Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*(?:([kmgtp])i?)?b?", Pattern.CASE_INSENSITIVE);

    static ByteCount parse(String text) {
        Matcher written = WRITTEN.matcher(text.strip());
        if (!written.matches()) {
            throw new TypeConversionException(
                    String.format(
                            Locale.ROOT,
                            "'%s' is no size: write for example 4096, 64KiB, 2M or 1GiB",
                            text));
        }
        String unit = written.group(2);
        int power = unit == null ? 0 : 1 + UNITS.indexOf(unit.toUpperCase(Locale.ROOT));
        BigDecimal bytes =
                new BigDecimal(written.group(1))
                        .multiply(BigDecimal.valueOf(1L << power * UNIT_BITS));
        try {
            return new ByteCount(bytes.longValueExact());
        } catch (ArithmeticException e) {
            throw new TypeConversionException(
                    String.format(
                            Locale.ROOT, "'%s' is no whole number of bytes below 2^63", text));
        }
    }

    /** In the largest unit that leaves at least 1, with at most one decimal. */
    @Override
    public String toString() {
        int power = 0;
        while (power < UNITS.length() && bytes >> (power + 1) * UNIT_BITS > 0) {
            power++;
        }
        if (power == 0) {
            return bytes + " B";
        }
        double value = (double) bytes / (1L << power * UNIT_BITS);
        String number = String.format(Locale.ROOT, "%.1f", value);
        return (number.endsWith(".0") ? number.substring(0, number.length() - 2) : number)
                + String.format(Locale.ROOT, " %siB", UNITS.charAt(power - 1));
    }

    static String text(long bytes) {
        return new ByteCount(bytes).toString();
    }
}
