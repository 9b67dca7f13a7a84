package dev.kernelalloc.soak;

import java.lang.foreign.MemorySegment;
import java.util.Random;

/** The types of members: the name in Java, and the number of bits used. */
enum Scalar {
    BOOL("boolean", 1, 1),
    BYTE("byte", 1, 8),
    SHORT("short", 2, 16),
    CHAR("char", 2, 16),
    INT("int", 4, 32),
    LONG("long", 8, 64),
    FLOAT("float", 4, 32),
    DOUBLE("double", 8, 64),
    POINTER("MemorySegment", 8, 47),
    COLOR("Color", 4, 0),
    UNSIGNED_CHAR("@C(CType.UNSIGNED_CHAR) int", 1, 8),
    UNSIGNED_SHORT("@C(CType.UNSIGNED_SHORT) int", 2, 16),
    UNSIGNED_INT("@C(CType.UNSIGNED_INT) long", 4, 32),
    SIZE("@C(CType.SIZE_T) long", 8, 63);

    /** Declared by the generated source. */
    private static final String[] COLORS = {"RED", "GREEN", "BLUE"};

    private static final long[] COLOR_VALUES = {1, -5, 70000};

    final String java;
    final int bytes;
    private final int usedBits;

    Scalar(String java, int bytes, int usedBits) {
        this.java = java;
        this.bytes = bytes;
        this.usedBits = usedBits;
    }

    /** Returns whether any bits are a value, and a value is the same bits. */
    boolean isAnyBits() {
        return usedBits == bytes * Byte.SIZE && this != FLOAT && this != DOUBLE;
    }

    /** Returns the bits of a random value, extremes among them. */
    long randomBits(Random random) {
        if (this == COLOR) {
            return COLOR_VALUES[random.nextInt(COLORS.length)] & mask(Integer.SIZE);
        }
        long bits =
                switch (random.nextInt(4)) {
                    case 0 -> 0;
                    case 1 -> -1;
                    case 2 -> 1L << usedBits - 1;
                    default -> random.nextLong();
                };
        return bits & mask(usedBits);
    }

    /** Returns the value of bits, as {@link #normal} has it. */
    Object normalOf(long bits) {
        if (this == COLOR) {
            for (int i = 0; i < COLORS.length; i++) {
                if ((int) bits == COLOR_VALUES[i]) {
                    return COLORS[i];
                }
            }
            throw new Mismatch("no color: " + bits);
        }
        return normal(valueOf(bits));
    }

    /** Returns the value of bits, as an accessor has it. */
    Object valueOf(long bits) {
        return switch (this) {
            case BOOL -> bits != 0;
            case BYTE -> (byte) bits;
            case SHORT -> (short) bits;
            case CHAR -> (char) bits;
            case INT -> (int) bits;
            case FLOAT -> Float.intBitsToFloat((int) bits);
            case DOUBLE -> Double.longBitsToDouble(bits);
            case POINTER -> MemorySegment.ofAddress(bits);
            case UNSIGNED_CHAR, UNSIGNED_SHORT -> (int) bits;
            case LONG, UNSIGNED_INT, SIZE -> bits;
            case COLOR -> normalOf(bits);
        };
    }

    /** Returns a value in a form in which equal values are equal objects. */
    static Object normal(Object value) {
        return switch (value) {
            case MemorySegment segment -> segment.address();
            case Float number -> (long) Float.floatToRawIntBits(number);
            case Double number -> Double.doubleToRawLongBits(number);
            case Character character -> (long) character;
            case Number number -> number.longValue();
            case Enum<?> constant -> constant.name();
            default -> value;
        };
    }

    static long mask(int bits) {
        return bits == Long.SIZE ? -1 : (1L << bits) - 1;
    }
}
