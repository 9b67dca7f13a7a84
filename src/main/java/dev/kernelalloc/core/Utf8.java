package dev.kernelalloc.core;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** UTF-8 as RFC 3629 has it: no surrogates, nothing beyond U+10FFFF, no longer form than needed. */
public final class Utf8 {

    /** The top bit of eight bytes: none is set where all are ASCII. */
    private static final long NOT_ASCII = 0x8080_8080_8080_8080L;

    private Utf8() {}

    /**
     * Encodes a text.
     *
     * @throws IllegalArgumentException if the text has a lone surrogate
     */
    public static MemorySegment encode(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                boolean pair =
                        i + 1 < text.length()
                                && Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1));
                if (!pair) {
                    throw new IllegalArgumentException(
                            String.format(
                                    Locale.ROOT,
                                    "lone surrogate U+%04X at index %d: UTF-8 cannot encode it",
                                    (int) text.charAt(i),
                                    i));
                }
                i++;
            }
        }
        return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8)).asReadOnly();
    }

    /** The text of well-formed bytes. */
    public static String decode(MemorySegment bytes) {
        return new String(BulkMemory.toByteArray(bytes), StandardCharsets.UTF_8);
    }

    /**
     * Requires well-formed bytes.
     *
     * @throws IllegalArgumentException with the offset of the first that are not
     */
    public static void requireWellFormed(MemorySegment bytes) {
        long end = bytes.byteSize();
        long at = 0;
        while (at < end) {
            if (end - at >= Long.BYTES && (bytes.get(JAVA_LONG_UNALIGNED, at) & NOT_ASCII) == 0) {
                at += Long.BYTES;
                continue;
            }
            int length = lengthAt(bytes, at, end);
            if (length == 0) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "the bytes are not UTF-8 at offset %d: 0x%02x",
                                at,
                                bytes.get(JAVA_BYTE, at)));
            }
            at += length;
        }
    }

    /** How many bytes the character has that begins there; 0 where none does. */
    private static int lengthAt(MemorySegment bytes, long at, long end) {
        int first = bytes.get(JAVA_BYTE, at) & 0xFF;
        if (first < 0x80) {
            return 1;
        }
        int length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
        if (length == 0 || at + length > end) {
            return 0;
        }
        int second = bytes.get(JAVA_BYTE, at + 1) & 0xFF;
        int least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80; // or a shorter form exists
        int most =
                first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF; // no surrogate, not too large
        if (second < least || second > most) {
            return 0;
        }
        for (int i = 2; i < length; i++) {
            if (!isContinuation(bytes.get(JAVA_BYTE, at + i))) {
                return 0;
            }
        }
        return length;
    }

    /** Whether a byte is not the first of its character. */
    public static boolean isContinuation(byte value) {
        return (value & 0xC0) == 0x80;
    }
}
