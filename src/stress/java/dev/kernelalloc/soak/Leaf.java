package dev.kernelalloc.soak;

import dev.kernelalloc.soak.Shape.Field;
import dev.kernelalloc.soak.Shape.Kind;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

/**
 * One value in a struct: how it is reached, and where the model has it.
 *
 * @param steps from the outermost struct inwards
 * @param bitOffset from the start of the outermost struct
 */
record Leaf(List<Step> steps, long bitOffset, boolean bigEndian) {

    /** Characters of one to four bytes in UTF-8. */
    private static final List<String> CHARACTERS = List.of("x", "é", "€", "𝄞");

    /**
     * @param shape that has the field
     */
    record Step(Shape shape, Field field, List<Integer> indexes) {}

    /** Returns the leaves of a struct; those of a union overlap. */
    static List<Leaf> of(Shape shape) {
        List<Leaf> leaves = new ArrayList<>();
        collect(shape, List.of(), leaves);
        return leaves;
    }

    private static void collect(Shape shape, List<Step> steps, List<Leaf> into) {
        for (Field field : shape.fields()) {
            for (int element = 0; element < field.elements(); element++) {
                List<Step> longer = new ArrayList<>(steps);
                longer.add(new Step(shape, field, indexes(field.lengths(), element)));
                if (field.kind() instanceof Kind.Nested(Shape nested)) {
                    collect(nested, longer, into);
                } else {
                    into.add(at(longer));
                }
            }
        }
    }

    /** Returns the leaf that steps lead to. */
    static Leaf at(List<Step> steps) {
        long bitOffset = 0;
        for (Step step : steps) {
            Field field = step.field;
            long element = 0;
            for (int i = 0; i < step.indexes.size(); i++) {
                element = element * field.lengths().get(i) + step.indexes.get(i);
            }
            bitOffset += field.bitOffset() + element * Shape.bytesOf(field.kind()) * Byte.SIZE;
        }
        return new Leaf(List.copyOf(steps), bitOffset, steps.getLast().shape.bigEndian());
    }

    private static List<Integer> indexes(List<Integer> lengths, int element) {
        List<Integer> indexes = new ArrayList<>();
        int rest = element;
        for (int i = lengths.size() - 1; i >= 0; i--) {
            indexes.addFirst(rest % lengths.get(i));
            rest /= lengths.get(i);
        }
        return indexes;
    }

    Kind kind() {
        return steps.getLast().field.kind();
    }

    /** Returns the path that {@code StructType.getter} takes, {@code "f1[2].f0"}. */
    String path() {
        StringBuilder path = new StringBuilder();
        for (Step step : steps) {
            path.append(path.isEmpty() ? "" : ".").append(step.field.name());
            step.indexes.forEach(index -> path.append('[').append(index).append(']'));
        }
        return path.toString();
    }

    private int byteOffset() {
        return (int) (bitOffset / Byte.SIZE);
    }

    // ---- in the model's bytes -------------------------------------------------------------------

    /** Writes a random value. */
    void randomize(byte[] image, Random random) {
        switch (kind()) {
            case Kind.One(Scalar scalar) -> setBits(image, scalar.randomBits(random));
            case Kind.Bits _ -> setBits(image, random.nextInt(4) == 0 ? -1 : random.nextLong());
            case Kind.Raw(int bytes) -> {
                byte[] raw = new byte[bytes];
                random.nextBytes(raw);
                System.arraycopy(raw, 0, image, byteOffset(), bytes);
            }
            case Kind.Text(int bytes) -> {
                byte[] text = text(random, bytes - 1).getBytes(StandardCharsets.UTF_8);
                Arrays.fill(image, byteOffset(), byteOffset() + bytes, (byte) 0);
                System.arraycopy(text, 0, image, byteOffset(), text.length);
            }
            case Kind.Nested _ -> throw new AssertionError();
        }
    }

    private static String text(Random random, int mostBytes) {
        StringBuilder text = new StringBuilder();
        int left = random.nextInt(mostBytes + 1);
        while (left > 0) {
            String character = CHARACTERS.get(random.nextInt(Math.min(left, 4)));
            text.append(character);
            left -= character.getBytes(StandardCharsets.UTF_8).length;
        }
        return text.toString();
    }

    /** Returns the value, as {@link Scalar#normal} has it. */
    Object normal(byte[] image) {
        return switch (kind()) {
            case Kind.One(Scalar scalar) -> scalar.normalOf(bits(image));
            default -> Scalar.normal(value(image));
        };
    }

    /** Returns the value, as an accessor has it: inline bytes in hexadecimal, an enum by name. */
    Object value(byte[] image) {
        return switch (kind()) {
            case Kind.One(Scalar scalar) -> scalar.valueOf(bits(image));
            case Kind.Bits(Scalar type, int width, boolean signed) -> {
                long bits = bits(image);
                long value = signed ? bits << 64 - width >> 64 - width : bits;
                yield type.valueOf(value);
            }
            case Kind.Raw(int bytes) ->
                    HexFormat.of().formatHex(image, byteOffset(), byteOffset() + bytes);
            case Kind.Text(int bytes) -> {
                int end = byteOffset();
                while (end < byteOffset() + bytes && image[end] != 0) {
                    end++;
                }
                yield new String(image, byteOffset(), end - byteOffset(), StandardCharsets.UTF_8);
            }
            case Kind.Nested _ -> throw new AssertionError();
        };
    }

    private int width() {
        return kind() instanceof Kind.Bits bits ? bits.width() : Shape.bytesOf(kind()) * Byte.SIZE;
    }

    /** Returns the bits of a scalar or a bit-field. */
    long bits(byte[] image) {
        long bits = 0;
        for (int i = 0; i < width(); i++) {
            long place = placeOf(i);
            bits |= (long) (image[(int) (place / 8)] >> place % 8 & 1) << i;
        }
        return bits;
    }

    private void setBits(byte[] image, long bits) {
        for (int i = 0; i < width(); i++) {
            long place = placeOf(i);
            int at = (int) (place / 8);
            int bit = 1 << place % 8;
            image[at] = (byte) ((bits >>> i & 1) == 0 ? image[at] & ~bit : image[at] | bit);
        }
    }

    /** Bits are counted from the lowest of each byte; big-endian structs have no bit-fields. */
    private long placeOf(int bit) {
        if (!bigEndian) {
            return bitOffset + bit;
        }
        int fromEnd = bit / 8;
        return bitOffset + (width() / 8 - 1 - fromEnd) * 8L + bit % 8;
    }

    /** Copies the value to another image. */
    void copy(byte[] from, byte[] to) {
        switch (kind()) {
            case Kind.One _, Kind.Bits _ -> setBits(to, bits(from));
            default ->
                    System.arraycopy(from, byteOffset(), to, byteOffset(), Shape.bytesOf(kind()));
        }
    }
}
