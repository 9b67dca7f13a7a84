package dev.kernelalloc.cli.ctypes;

import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** A C type as far as its bytes go: typedefs, {@code const} and {@code volatile} are resolved. */
public sealed interface CType {

    /** Returns the size in bytes. */
    long bytes();

    /** Returns the type as C spells it, for comments. */
    String spelling();

    /** Returns the type under the name of a typedef: numbers and anonymous structs take it. */
    default CType renamed(String name) {
        return switch (this) {
            case Int number ->
                    new Int(
                            name,
                            number.bytes(),
                            number.signed(),
                            number.truth(),
                            number.character());
            case Compound compound when compound.name().isEmpty() ->
                    new Compound(name, compound.union(), compound.bytes(), compound.members());
            default -> this;
        };
    }

    /**
     * An integer.
     *
     * @param character whether it is the type {@code char}
     */
    record Int(String spelling, long bytes, boolean signed, boolean truth, boolean character)
            implements CType {}

    /** A floating-point number. */
    record Real(String spelling, long bytes) implements CType {}

    /** A pointer to anything. */
    record Address(String spelling, long bytes) implements CType {}

    /** An array of a fixed length; 0 also for a flexible one. */
    record Array(CType element, long length) implements CType {

        @Override
        public long bytes() {
            return Math.multiplyExact(element.bytes(), length);
        }

        @Override
        public String spelling() {
            return element.spelling() + "[" + length + "]";
        }
    }

    /**
     * A struct or a union. Readers keep one object for all that are equal, as comparing two whole
     * trees of structs takes exponential time: a struct may have the same one inside it many times.
     *
     * @param name empty for an anonymous one
     */
    record Compound(String name, boolean union, long bytes, List<Member> members) implements CType {

        /** Covers the members' names and places, not the structs inside them. */
        @Override
        public int hashCode() {
            int hash = Objects.hash(name, union, bytes);
            for (Member member : members) {
                hash = 31 * hash + Objects.hash(member.name, member.bitOffset, member.bits);
            }
            return hash;
        }

        @Override
        public String spelling() {
            return ((union ? "union " : "struct ") + name).strip();
        }
    }

    /** A type that the debug information does not describe, or that has none in Java. */
    record Incomplete(String spelling, long bytes) implements CType {}

    /**
     * A member of a struct or a union.
     *
     * @param name empty for an anonymous struct or union
     * @param bitOffset the offset in its struct, in bits from the least significant one of byte 0
     * @param bits the width of a bit-field; 0 for other members
     */
    record Member(String name, CType type, long bitOffset, int bits) {

        /**
         * Checks what only a damaged file contradicts.
         *
         * @throws IllegalArgumentException if the member is before its struct, or a bit-field has
         *     more bits than its type
         * @throws ArithmeticException if its bits cannot be counted in 64 bits
         */
        public Member {
            long available = Math.multiplyExact(type.bytes(), Byte.SIZE);
            if (bitOffset < 0 || bits < 0 || bits > available) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "member out of bounds: name=%s bit=%d bits=%d available=%d",
                                name,
                                bitOffset,
                                bits,
                                available));
            }
            Math.addExact(bitOffset, available);
        }

        boolean isBitField() {
            return bits > 0;
        }

        long byteOffset() {
            return bitOffset / Byte.SIZE;
        }
    }
}
