package dev.kernelalloc.os;

import java.util.Optional;

/**
 * The line of {@code smaps} that begins a mapping, {@code f0000000-ffe00000 rw-p 00000000 00:00 0};
 * what follows of it are lines of the form {@code Name: value}.
 *
 * @param start its first address
 * @param end the address behind it
 * @param shared whether writes reach others that have mapped the same
 */
record MappingLine(long start, long end, boolean shared) {

    /** The place of the letter in {@code rw-s}. */
    private static final int SHARING = 4;

    /** Reads a line; empty when it begins no mapping. */
    static Optional<MappingLine> of(String line) {
        int dash = line.indexOf('-');
        int space = line.indexOf(' ');
        if (dash <= 0 || space < dash || line.charAt(space - 1) == ':') {
            return Optional.empty();
        }
        try {
            return Optional.of(
                    new MappingLine(
                            Long.parseUnsignedLong(line, 0, dash, 16),
                            Long.parseUnsignedLong(line, dash + 1, space, 16),
                            line.startsWith("s", space + SHARING)));
        } catch (NumberFormatException malformed) {
            return Optional.empty();
        }
    }
}
