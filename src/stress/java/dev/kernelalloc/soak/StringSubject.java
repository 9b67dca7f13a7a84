package dev.kernelalloc.soak;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeString;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;

/** A {@link NativeString.Builder} and strings from it beside a {@code StringBuilder}. */
final class StringSubject implements Subject {

    private static final int MOST_CHARACTERS = 20_000;

    /** Characters of one to four bytes, and those at the ends of each length. */
    private static final int[] CODE_POINTS = {
        0, 'a', 'b', ' ', 0x7F, 0x80, 'ö', 0x7FF, 0x800, '€', 0xD7FF, 0xE000, 0xFFFF, 0x10000,
        0x1D11E, 0x10FFFF
    };

    private final KernelAllocator allocator;
    private final StringBuilder model = new StringBuilder();
    private NativeString.Builder builder;

    StringSubject(KernelAllocator allocator, Random random) {
        this.allocator = allocator;
        this.builder = NativeString.builder(allocator);
    }

    @Override
    public String step(Random random) throws Exception {
        if (model.length() > MOST_CHARACTERS) {
            return truncated(0);
        }
        switch (random.nextInt(9)) {
            case 0, 1 -> {
                String text = text(random);
                builder.append(text);
                model.append(text);
                return "append %d characters".formatted(text.length());
            }
            case 2 -> {
                String text = text(random);
                try (NativeString string = NativeString.of(allocator, text)) {
                    builder.append(string);
                }
                model.append(text);
                return "append a string";
            }
            case 3 -> {
                long number = random.nextLong() >> random.nextInt(64);
                builder.append(number);
                model.append(number);
                return "append " + number;
            }
            case 4 -> {
                int codePoint = CODE_POINTS[random.nextInt(CODE_POINTS.length)];
                builder.appendCodePoint(codePoint);
                model.appendCodePoint(codePoint);
                return "append U+%04X".formatted(codePoint);
            }
            case 5 -> {
                return truncated(random.nextInt(model.length() + 1));
            }
            case 6 -> {
                builder.reserve(random.nextInt(5000));
                return "reserve";
            }
            case 7 -> {
                return built(random);
            }
            default -> {
                return decoded(random);
            }
        }
    }

    private static String text(Random random) {
        int length = random.nextInt(1 << random.nextInt(8));
        int[] codePoints = new int[length];
        int variety = 1 + random.nextInt(CODE_POINTS.length);
        for (int i = 0; i < length; i++) {
            codePoints[i] = CODE_POINTS[random.nextInt(variety)];
        }
        return new String(codePoints, 0, length);
    }

    private String truncated(int characters) throws Exception {
        if (characters > 0
                && characters < model.length()
                && Character.isLowSurrogate(model.charAt(characters))) {
            characters--;
        }
        String kept = model.substring(0, characters);
        long bytes = utf8(kept).length;
        if (characters < model.length() && utf8(model.toString()).length > bytes + 1) {
            byte next = utf8(model.toString())[(int) bytes + 1];
            if ((next & 0xC0) == 0x80) {
                Mismatch.requireThrown(
                        IllegalArgumentException.class,
                        "truncate inside a character",
                        () -> builder.truncate(bytes + 1));
            }
        }
        builder.truncate(bytes);
        model.setLength(characters);
        return "truncate to " + bytes;
    }

    /** A string of all, and another of a part, compared and searched. */
    private String built(Random random) throws Exception {
        String text = model.toString();
        try (NativeString string = builder.build()) {
            NativeString.Builder former = builder;
            builder = NativeString.builder(allocator);
            model.setLength(0);
            Mismatch.requireThrown(
                    IllegalStateException.class, "append when built", () -> former.append("x"));
            former.close();
            byte[] bytes = utf8(text);
            Mismatch.requireEqual(text, string.toString(), "the text of a string");
            Mismatch.requireEqual(bytes.length, string.byteLength(), "byteLength");
            Mismatch.requireEqual(
                    text.codePointCount(0, text.length()), string.codePointCount(), "points");
            Mismatch.require(
                    Arrays.equals(bytes, string.segment().toArray(ValueLayout.JAVA_BYTE)),
                    "the bytes of a string");
            Mismatch.requireEqual(
                    bytes.length,
                    string.lengthPrefixed().get(ValueLayout.JAVA_LONG, 0),
                    "the length before a string");
            if (text.indexOf('\0') < 0) {
                Mismatch.requireEqual(text, string.cString().getString(0), "cString");
            } else {
                Mismatch.requireThrown(
                        IllegalStateException.class, "cString with a NUL", string::cString);
            }
            compared(string, text, random);
            searched(string, text, bytes, random);
        }
        return "build and compare";
    }

    private void compared(NativeString string, String text, Random random) {
        String changed = random.nextBoolean() ? text : text + text(random);
        try (NativeString other = NativeString.ofUtf8(allocator, utf8(changed))) {
            Mismatch.requireEqual(text.equals(changed), string.equals(other), "equals");
            Mismatch.requireEqual(changed.equals(text), string.contentEquals(changed), "content");
            if (text.equals(changed)) {
                Mismatch.requireEqual(string.hashCode(), other.hashCode(), "hashCode");
            }
            Mismatch.requireEqual(
                    Integer.signum(Arrays.compareUnsigned(utf8(text), utf8(changed))),
                    Integer.signum(string.compareTo(other)),
                    "compareTo");
            Mismatch.requireEqual(changed.startsWith(text), other.startsWith(text), "startsWith");
            Mismatch.requireEqual(changed.endsWith(text), other.endsWith(text), "endsWith");
        }
    }

    private static void searched(NativeString string, String text, byte[] bytes, Random random) {
        String part = text(random);
        if (!text.isEmpty() && random.nextBoolean()) {
            int from = text.offsetByCodePoints(0, random.nextInt(points(text) + 1));
            String rest = text.substring(from);
            part = rest.substring(0, rest.offsetByCodePoints(0, random.nextInt(points(rest) + 1)));
        }
        byte[] wanted = utf8(part);
        int from = random.nextInt(bytes.length + 2);
        Mismatch.requireEqual(
                first(bytes, wanted, from), string.indexOf(part, from), "indexOf from " + from);
        Mismatch.requireEqual(first(bytes, wanted, 0), string.indexOf(part), "indexOf");
        Mismatch.requireEqual(last(bytes, wanted), string.lastIndexOf(part), "lastIndexOf");
        Mismatch.requireEqual(text.contains(part), string.contains(part), "contains");
    }

    private static int points(String text) {
        return text.codePointCount(0, text.length());
    }

    private static int first(byte[] bytes, byte[] wanted, int from) {
        for (int at = from; at + wanted.length <= bytes.length; at++) {
            if (isAt(bytes, wanted, at)) {
                return at;
            }
        }
        return -1;
    }

    private static int last(byte[] bytes, byte[] wanted) {
        for (int at = bytes.length - wanted.length; at >= 0; at--) {
            if (isAt(bytes, wanted, at)) {
                return at;
            }
        }
        return -1;
    }

    private static boolean isAt(byte[] bytes, byte[] wanted, int at) {
        return Arrays.equals(bytes, at, at + wanted.length, wanted, 0, wanted.length);
    }

    /** Random bytes are text if the JDK's decoder accepts them. */
    private String decoded(Random random) throws Exception {
        byte[] bytes = utf8(text(random));
        if (bytes.length > 0 && random.nextBoolean()) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(bytes.length, 1);
            MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
            if (isText(bytes)) {
                NativeString.ofUtf8(allocator, segment).close();
            } else {
                Mismatch.requireThrown(
                        IllegalArgumentException.class,
                        "not UTF-8: " + Arrays.toString(bytes),
                        () -> NativeString.ofUtf8(allocator, segment));
            }
        }
        return "decode";
    }

    private static boolean isText(byte[] bytes) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void check() {
        byte[] bytes = utf8(model.toString());
        Mismatch.requireEqual(bytes.length, builder.byteLength(), "the length of a builder");
        Mismatch.require(
                Arrays.equals(bytes, builder.segment().toArray(ValueLayout.JAVA_BYTE)),
                "the bytes of a builder");
    }

    @Override
    public void close() throws Exception {
        builder.close();
        Mismatch.requireThrown(IllegalStateException.class, "close twice", builder::close);
    }
}
