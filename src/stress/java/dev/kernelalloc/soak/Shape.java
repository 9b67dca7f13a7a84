package dev.kernelalloc.soak;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A random struct or union, laid out by the rules of the System V ABI: the model, which shares no
 * code with the library.
 *
 * @param name unique in its round
 * @param alignment as declared, 0 for none
 * @param inherited how many of the fields a super-interface declares
 * @param bean whether the accessors of its interface are named as those of JavaBeans
 * @param repeats whether its interface declares the first inherited getter again
 */
record Shape(
        String name,
        boolean union,
        boolean packed,
        int alignment,
        boolean bigEndian,
        int inherited,
        boolean bean,
        boolean repeats,
        List<Field> fields) {

    /** The parts of a field. */
    sealed interface Kind {

        record One(Scalar scalar) implements Kind {}

        record Bits(Scalar type, int width, boolean signed) implements Kind {}

        record Text(int bytes) implements Kind {}

        record Raw(int bytes) implements Kind {}

        record Nested(Shape shape) implements Kind {}
    }

    /**
     * A member.
     *
     * @param alignment as declared, 0 for none
     * @param bitOffset where its first element begins
     */
    record Field(String name, Kind kind, List<Integer> lengths, int alignment, long bitOffset) {

        /** Returns how many elements it has. */
        int elements() {
            return lengths.stream().reduce(1, (a, b) -> a * b);
        }
    }

    private static final List<Scalar> BIT_TYPES =
            List.of(Scalar.BYTE, Scalar.SHORT, Scalar.CHAR, Scalar.INT, Scalar.LONG);
    private static final int DEEPEST = 2;

    /** Returns the size of an element in bytes. */
    static int bytesOf(Kind kind) {
        return switch (kind) {
            case Kind.One(Scalar scalar) -> scalar.bytes;
            case Kind.Bits(Scalar type, _, _) -> type.bytes;
            case Kind.Text(int bytes) -> bytes;
            case Kind.Raw(int bytes) -> bytes;
            case Kind.Nested(Shape shape) -> shape.byteSize();
        };
    }

    private static int alignmentOf(Kind kind) {
        return switch (kind) {
            case Kind.One(Scalar scalar) -> scalar.bytes;
            case Kind.Bits(Scalar type, _, _) -> type.bytes;
            case Kind.Text _, Kind.Raw _ -> 1;
            case Kind.Nested(Shape shape) -> shape.byteAlignment();
        };
    }

    int byteAlignment() {
        int most = Math.max(1, alignment);
        for (Field field : fields) {
            most = Math.max(most, field.alignment);
            most = Math.max(most, packed ? 1 : alignmentOf(field.kind));
        }
        return most;
    }

    int byteSize() {
        long end = 0;
        for (Field field : fields) {
            end = Math.max(end, endOf(field));
        }
        return (int) alignedUp(Math.ceilDiv(end, Byte.SIZE), byteAlignment());
    }

    boolean hasUnion() {
        return union
                || fields.stream()
                        .anyMatch(f -> f.kind instanceof Kind.Nested n && n.shape.hasUnion());
    }

    private static long endOf(Field field) {
        return field.bitOffset
                + (field.kind instanceof Kind.Bits bits
                        ? bits.width
                        : (long) field.elements() * bytesOf(field.kind) * Byte.SIZE);
    }

    private static long alignedUp(long value, long alignment) {
        return Math.ceilDiv(value, alignment) * alignment;
    }

    /** Returns where the next field of a struct begins, in bits behind an earlier end. */
    private static long placed(Kind kind, int alignment, boolean packed, long end) {
        if (kind instanceof Kind.Bits bits) {
            long unit = (long) bits.type.bytes * Byte.SIZE;
            boolean fits = end / unit == (end + bits.width - 1) / unit;
            return packed || fits ? end : alignedUp(end, unit);
        }
        long natural = packed ? 1 : alignmentOf(kind);
        return alignedUp(end, Math.max(natural, alignment) * Byte.SIZE);
    }

    /** Returns the name of an accessor in Java. */
    String accessor(Field field, boolean setter) {
        if (!bean) {
            return field.name;
        }
        boolean truth =
                field.lengths.isEmpty()
                        && (field.kind instanceof Kind.One(Scalar scalar) && scalar == Scalar.BOOL
                                || field.kind instanceof Kind.Bits(Scalar type, _, _)
                                        && type == Scalar.BOOL);
        String prefix = setter ? "set" : truth ? "is" : "get";
        return prefix + Character.toUpperCase(field.name.charAt(0)) + field.name.substring(1);
    }

    // ---- chance ---------------------------------------------------------------------------------

    static Shape random(Random random, String name) {
        return random(random, name, 0, false);
    }

    /**
     * @param anyBits whether only members are used of which any bits are a value, as in a union
     */
    private static Shape random(Random random, String name, int depth, boolean anyBits) {
        boolean union = random.nextInt(7) == 0;
        boolean packed = random.nextInt(5) == 0;
        boolean bigEndian = random.nextInt(5) == 0;
        boolean manyBits = !bigEndian && random.nextInt(3) == 0;
        int alignment = random.nextInt(6) == 0 ? 1 << random.nextInt(7) : 0;
        int count = 1 + random.nextInt(depth == 0 ? 9 : 4);
        List<Field> fields = new ArrayList<>();
        long end = 0;
        for (int i = 0; i < count; i++) {
            Kind kind = kind(random, name + i, depth, anyBits || union, manyBits, bigEndian);
            List<Integer> lengths = new ArrayList<>();
            boolean isBits = kind instanceof Kind.Bits;
            while (!isBits && lengths.size() < 2 && random.nextInt(4) == 0) {
                lengths.add(1 + random.nextInt(4));
            }
            int own = !isBits && random.nextInt(10) == 0 ? 1 << random.nextInt(6) : 0;
            long offset = union ? 0 : placed(kind, own, packed, end);
            Field field = new Field("f" + i, kind, List.copyOf(lengths), own, offset);
            fields.add(field);
            end = endOf(field);
        }
        int inherited = random.nextInt(3) == 0 ? random.nextInt(count) : 0;
        return new Shape(
                name,
                union,
                packed,
                alignment,
                bigEndian,
                inherited,
                random.nextInt(3) == 0,
                inherited > 0 && random.nextBoolean(),
                fields);
    }

    private static Kind kind(
            Random random,
            String name,
            int depth,
            boolean anyBits,
            boolean manyBits,
            boolean bigEndian) {
        int dice = random.nextInt(20);
        if (manyBits && dice < 13) {
            if (random.nextInt(8) == 0 && !anyBits) {
                return new Kind.Bits(Scalar.BOOL, 1, false);
            }
            Scalar type = BIT_TYPES.get(random.nextInt(BIT_TYPES.size()));
            boolean signed = type != Scalar.CHAR && random.nextBoolean();
            return new Kind.Bits(type, 1 + random.nextInt(type.bytes * Byte.SIZE), signed);
        }
        if (dice == 14 && !anyBits) {
            return new Kind.Text(2 + random.nextInt(15));
        }
        if (dice == 15) {
            return new Kind.Raw(1 + random.nextInt(20));
        }
        if (dice > 15 && depth < DEEPEST) {
            return new Kind.Nested(random(random, name + "_", depth + 1, anyBits));
        }
        Scalar scalar;
        do {
            scalar = Scalar.values()[random.nextInt(Scalar.values().length)];
        } while (anyBits && !scalar.isAnyBits() || bigEndian && scalar == Scalar.POINTER);
        return new Kind.One(scalar);
    }
}
