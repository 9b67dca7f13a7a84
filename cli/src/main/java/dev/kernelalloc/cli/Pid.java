package dev.kernelalloc.cli;

import picocli.CommandLine.TypeConversionException;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * The id of a process.
 *
 * @param text decimal digits
 */
record Pid(String text) {

    private static final Pattern WRITTEN = Pattern.compile("[1-9]\\d{0,9}");

    static Pid parse(String text) {
        if (WRITTEN.matcher(text).matches()) {
            return new Pid(text);
        }
        throw new TypeConversionException(
                String.format(
                        Locale.ROOT, "'%s' is no process id: jps lists the JVMs of a user", text));
    }
}
