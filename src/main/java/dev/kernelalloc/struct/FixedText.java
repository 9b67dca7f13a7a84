package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.util.Locale;
import java.util.Objects;

/**
 * A fixed-length character array, read and written as a {@code String}.
 *
 * @param member the name of the member, for messages
 * @param charset with a fixed byte order
 * @param unitBytes the size of a character of the array: 1, 2 or 4
 * @param length the length of the array in such characters
 * @param terminated whether the last character is reserved for a NUL
 */
record FixedText(String member, Charset charset, int unitBytes, int length, boolean terminated) {

    int byteSize() {
        return Math.multiplyExact(unitBytes, length);
    }

    /** Returns whether the charset is not one of the JDK. */
    boolean hasForeignCharset() {
        ClassLoader loader = charset.getClass().getClassLoader();
        return loader != null && loader != ClassLoader.getPlatformClassLoader();
    }

    Object get(MemorySegment segment, long offset) {
        byte[] bytes = BulkMemory.toByteArray(segment.asSlice(offset, byteSize()));
        return new String(bytes, 0, terminator(bytes), charset);
    }

    void set(MemorySegment segment, long offset, Object value) {
        byte[] bytes = encode((String) Objects.requireNonNull(value, member));
        MemorySegment field = segment.asSlice(offset, byteSize());
        BulkMemory.copy(bytes, bytes.length, field, ValueLayout.JAVA_BYTE, 0);
        BulkMemory.fill(field.asSlice(bytes.length), (byte) 0);
    }

    private byte[] encode(String text) {
        if (text.indexOf('\0') >= 0) {
            throw refused(text, "contains NUL, which ends a string in C");
        }
        byte[] bytes;
        try {
            ByteBuffer encoded = charset.newEncoder().encode(CharBuffer.wrap(text));
            bytes = new byte[encoded.remaining()];
            encoded.get(bytes);
        } catch (CharacterCodingException e) {
            throw refused(text, "has a character that " + charset + " lacks");
        }
        int room = byteSize() - (terminated ? unitBytes : 0);
        if (bytes.length > room) {
            throw refused(
                    text,
                    String.format(
                            Locale.ROOT,
                            "takes %d bytes of %s, room is for %d%s",
                            bytes.length,
                            charset,
                            room,
                            terminated ? " and a terminator" : ""));
        }
        return bytes;
    }

    private IllegalArgumentException refused(String text, String why) {
        return new IllegalArgumentException(
                String.format(Locale.ROOT, "%s: \"%s\" %s", member, text, why));
    }

    /** The offset in bytes of the first unit that is all zeros; the length where there is none. */
    private int terminator(byte[] bytes) {
        for (int unit = 0; unit < bytes.length; unit += unitBytes) {
            int bits = 0;
            for (int i = 0; i < unitBytes; i++) {
                bits |= bytes[unit + i];
            }
            if (bits == 0) {
                return unit;
            }
        }
        return bytes.length;
    }
}
