package dev.kernelalloc.struct;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The type of one value of a member, apart from its location: for an array, of one element. */
sealed interface Element {

    /** The Java type of the value. */
    Class<?> carrier();

    /** Its C layout: natural alignment, in the byte order of the member. */
    MemoryLayout layout();

    /** The C type, for people. */
    String spelling();

    /** Whether one instruction accesses it: not what is a struct, or a row of values. */
    default boolean isScalar() {
        return layout() instanceof ValueLayout;
    }

    /** A value whose bits are those of a Java primitive, or a plain pointer. */
    record Plain(Class<?> carrier, ValueLayout layout, String spelling) implements Element {

        boolean isPointer() {
            return carrier == MemorySegment.class;
        }
    }

    /**
     * An integer that Java keeps in a wider type, or whose size depends on the platform; also
     * {@code bool : 1} of an integer type.
     */
    record Integral(Class<?> carrier, ValueLayout layout, boolean signed, String spelling)
            implements Element {}

    /** An enum constant, stored as an integer. */
    record Enumerated(EnumTable table, ValueLayout layout, boolean signed) implements Element {

        @Override
        public Class<?> carrier() {
            return table.type();
        }

        @Override
        public String spelling() {
            return "enum " + table.type().getSimpleName();
        }
    }

    /** Characters of a fixed-length array, as one {@code String}. */
    record Characters(FixedText text, MemoryLayout layout) implements Element {

        @Override
        public Class<?> carrier() {
            return String.class;
        }

        @Override
        public String spelling() {
            return text.unitBytes() == 1 ? "char" : text.unitBytes() == 2 ? "char16_t" : "char32_t";
        }
    }

    /** Inline bytes. */
    record Bytes(MemoryLayout layout) implements Element {

        @Override
        public Class<?> carrier() {
            return MemorySegment.class;
        }

        @Override
        public String spelling() {
            return "unsigned char";
        }
    }

    /** A struct inside the struct. */
    record Nested(StructModel model) implements Element {

        @Override
        public Class<?> carrier() {
            return model.type();
        }

        @Override
        public MemoryLayout layout() {
            return model.layout();
        }

        @Override
        public String spelling() {
            return model.spelling();
        }
    }

    /**
     * A pointer to characters, as a {@code String}.
     *
     * @param struct the struct with the member
     */
    record TextPointer(StructModel struct, AddressLayout layout) implements Element {

        @Override
        public Class<?> carrier() {
            return String.class;
        }

        @Override
        public String spelling() {
            return "char *";
        }
    }

    /** A typed pointer. */
    record Reference(StructModel target, AddressLayout layout) implements Element {

        @Override
        public Class<?> carrier() {
            return Pointer.class;
        }

        @Override
        public String spelling() {
            return target.spelling() + " *";
        }
    }
}
