package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.util.Locale;
import java.util.Optional;

/** Finds out what one value of a member is; of an array, what one element is. */
final class ElementReader {

    private final Binder binder;
    private final Abi abi;
    private final Mistakes mistakes;
    private final Class<?> struct;

    ElementReader(Binder binder, Abi abi, Mistakes mistakes, Class<?> struct) {
        this.binder = binder;
        this.abi = abi;
        this.mistakes = mistakes;
        this.struct = struct;
    }

    /**
     * The element of a member.
     *
     * @param innerLength the length that belongs to a string or to inline bytes, 0 for none
     * @return null if there was a mistake
     */
    @Nullable Element read(Declaration member, Shape shape, long innerLength, ByteOrder order) {
        Class<?> leaf = shape.leaf();
        if (member.has(Text.class) && leaf != String.class) {
            mistake(member, "@Text belongs to a String");
        }
        if (member.has(CString.class)) {
            if (leaf != String.class) {
                mistake(member, "@CString belongs to a String");
                return null;
            }
            if (innerLength > 0 || member.has(Text.class)) {
                mistake(
                        member,
                        "a @CString is a pointer; remove the "
                                + (innerLength > 0 ? "@Length" : "@Text"));
                return null;
            }
        }
        C c = member.find(C.class);
        boolean integer = leaf.isPrimitive() && leaf != float.class && leaf != double.class;
        if (c != null && !integer && !leaf.isEnum()) {
            mistake(member, "@C belongs to an integer or an enum, not to " + leaf.getSimpleName());
            return null;
        }
        if (leaf == void.class) {
            mistake(member, "has no type");
            return null;
        }
        if (leaf.isPrimitive()) {
            boolean integral = integer && (c != null || member.has(Bits.class));
            return integral ? integral(member, leaf, c, order) : plain(leaf, order);
        }
        if (leaf == MemorySegment.class) {
            return innerLength > 0
                    ? new Element.Bytes(
                            MemoryLayout.sequenceLayout(innerLength, ValueLayout.JAVA_BYTE))
                    : new Element.Plain(leaf, ValueLayout.ADDRESS.withOrder(order), "void *");
        }
        if (member.has(CString.class)) {
            return new Element.TextPointer(
                    binder.model(struct), ValueLayout.ADDRESS.withOrder(order));
        }
        if (leaf == String.class) {
            return characters(member, innerLength, order);
        }
        if (leaf == Pointer.class) {
            return pointer(member, shape.genericLeaf(), order);
        }
        if (leaf.isEnum()) {
            return enumerated(member, leaf, c, order);
        }
        if (leaf.isRecord() || (leaf.isInterface() && !leaf.isAnnotation() && !isOfTheJdk(leaf))) {
            if (shape.genericLeaf() != leaf) {
                mistake(
                        member,
                        String.format(
                                Locale.ROOT,
                                "%s is generic, a struct is not",
                                shape.genericLeaf()));
                return null;
            }
            return nested(member, leaf);
        }
        mistake(
                member,
                String.format(
                        Locale.ROOT,
                        "%s has no place in C memory; a member is a primitive, MemorySegment,"
                            + " Pointer, String, an enum, a record, an interface, or an array of"
                            + " these",
                        shape.genericLeaf().getTypeName()));
        return null;
    }

    private static boolean isOfTheJdk(Class<?> leaf) {
        return leaf.getModule() == Object.class.getModule();
    }

    private static Element.Plain plain(Class<?> primitive, ByteOrder order) {
        ValueLayout layout = layoutOf(primitive).withOrder(order);
        String spelling =
                switch (primitive.getName()) {
                    case "boolean" -> "_Bool";
                    case "byte" -> "int8_t";
                    case "short" -> "int16_t";
                    case "char" -> "uint16_t";
                    case "int" -> "int32_t";
                    case "long" -> "int64_t";
                    default -> primitive.getName();
                };
        return new Element.Plain(primitive, layout, spelling);
    }

    private static ValueLayout layoutOf(Class<?> primitive) {
        return switch (primitive.getName()) {
            case "boolean" -> ValueLayout.JAVA_BOOLEAN;
            case "byte" -> ValueLayout.JAVA_BYTE;
            case "short" -> ValueLayout.JAVA_SHORT;
            case "char" -> ValueLayout.JAVA_CHAR;
            case "int" -> ValueLayout.JAVA_INT;
            case "long" -> ValueLayout.JAVA_LONG;
            case "float" -> ValueLayout.JAVA_FLOAT;
            case "double" -> ValueLayout.JAVA_DOUBLE;
            default -> throw new AssertionError(primitive);
        };
    }

    /** The layout of an integer of a size. */
    private static ValueLayout integerLayout(int bytes, ByteOrder order) {
        return switch (bytes) {
            case 1 -> ValueLayout.JAVA_BYTE;
            case 2 -> ValueLayout.JAVA_SHORT.withOrder(order);
            case 4 -> ValueLayout.JAVA_INT.withOrder(order);
            case 8 -> ValueLayout.JAVA_LONG.withOrder(order);
            default -> throw new AssertionError(bytes);
        };
    }

    private Element.@Nullable Integral integral(
            Declaration member, Class<?> carrier, @Nullable C c, ByteOrder order) {
        Bits bits = member.find(Bits.class);
        int carrierBits = carrier == boolean.class ? 1 : Binder.bytesOf(carrier) * 8;
        int bytes = c == null ? Binder.bytesOf(carrier) : c.value().bytes(abi);
        boolean signed = bits != null ? bits.signed() : c.value().signed(abi);
        int width = bits != null ? bits.value() : c.value().widestBits();
        boolean truth = bits == null && carrier == boolean.class && isTruthValue(c.value());
        if (width > 0 && !truth && !holds(carrier, carrierBits, width, signed)) {
            mistake(
                    member,
                    String.format(
                            Locale.ROOT,
                            "%s cannot hold every value of %s; use a wider Java type",
                            carrier.getSimpleName(),
                            bits == null
                                    ? c.value().spelling()
                                    : String.format(
                                            Locale.ROOT,
                                            signed ? "%d signed bits" : "%d bits",
                                            width)));
            return null;
        }
        int widthHere = bits != null ? bits.value() : bytes * 8;
        boolean signOfCarrier = widthHere == carrierBits && carrier != boolean.class;
        String base = c != null ? c.value().spelling() : plain(carrier, order).spelling();
        return new Element.Integral(
                carrier,
                integerLayout(bytes, order),
                signOfCarrier ? carrier != char.class : signed,
                c == null
                                && bits != null
                                && !signed
                                && carrier != boolean.class
                                && carrier != char.class
                        ? "u" + base
                        : base);
    }

    /** Whether C code keeps truth values in a type: BOOL and gboolean, BOOLEAN and GLboolean. */
    private static boolean isTruthValue(CType type) {
        return type == CType.UNSIGNED_INT || type == CType.UNSIGNED_CHAR;
    }

    /** Whether a Java type has all values of a width; one as wide as itself it holds as bits. */
    private static boolean holds(Class<?> carrier, int carrierBits, int width, boolean signed) {
        if (carrier == boolean.class) {
            return width == 1;
        }
        if (carrier == char.class) {
            return !signed && width <= 16;
        }
        return width <= carrierBits;
    }

    private @Nullable Element enumerated(
            Declaration member, Class<?> type, @Nullable C c, ByteOrder order) {
        Bits bits = member.find(Bits.class);
        int bytes = c == null ? Integer.BYTES : c.value().bytes(abi);
        boolean signed = bits != null ? bits.signed() : c == null || c.value().signed(abi);
        int width = bits != null ? bits.value() : bytes * 8;
        if (width < 1 || width > 64 || !binder.canAccess(struct, member.name(), type)) {
            return new Element.Enumerated(
                    new EnumTable(type, new long[0], new Object[0], new long[0]),
                    integerLayout(bytes, order),
                    signed);
        }
        Optional<EnumTable> table =
                EnumTable.of(
                        type,
                        new IntegerRange(member.name(), width, signed),
                        what -> mistake(member, what));
        return table.map(
                        found -> new Element.Enumerated(found, integerLayout(bytes, order), signed))
                .orElse(null);
    }

    private @Nullable Element characters(Declaration member, long length, ByteOrder order) {
        Text text = member.find(Text.class);
        String name = text == null ? "UTF-8" : text.charset();
        boolean terminated = text == null || text.terminated();
        int unit =
                switch (name) {
                    case "UTF-16", "UTF-16LE", "UTF-16BE" -> 2;
                    case "UTF-32", "UTF-32LE", "UTF-32BE" -> 4;
                    default -> 1;
                };
        boolean hasNoOrder = name.equals("UTF-16") || name.equals("UTF-32");
        String suffix = !hasNoOrder ? "" : order == ByteOrder.BIG_ENDIAN ? "BE" : "LE";
        try {
            Charset charset = Charset.forName(name + suffix);
            if (!charset.canEncode()) {
                mistake(member, String.format(Locale.ROOT, "the charset %s cannot encode", name));
                return null;
            }
            if (Math.multiplyExact(length, unit) > Integer.MAX_VALUE - 8) {
                mistake(
                        member,
                        String.format(Locale.ROOT, "%d characters do not fit in a String", length));
                return null;
            }
            FixedText fixed =
                    new FixedText(
                            member.name(), charset, unit, Math.toIntExact(length), terminated);
            return new Element.Characters(
                    fixed,
                    MemoryLayout.sequenceLayout(
                            length,
                            switch (unit) {
                                case 1 -> ValueLayout.JAVA_BYTE;
                                case 2 -> ValueLayout.JAVA_CHAR.withOrder(order);
                                default -> ValueLayout.JAVA_INT.withOrder(order);
                            }));
        } catch (IllegalArgumentException e) {
            mistake(member, String.format(Locale.ROOT, "there is no charset \"%s\"", name));
            return null;
        } catch (ArithmeticException e) {
            mistake(
                    member,
                    String.format(Locale.ROOT, "%d characters do not fit in a String", length));
            return null;
        }
    }

    private @Nullable Element pointer(Declaration member, Type generic, ByteOrder order) {
        if (generic instanceof ParameterizedType parameterized
                && parameterized.getActualTypeArguments()[0] instanceof Class<?> target
                && (target.isRecord() || target.isInterface())
                && !isOfTheJdk(target)) {
            if (!binder.canAccess(struct, member.name(), target)) {
                return null;
            }
            AddressLayout layout = ValueLayout.ADDRESS.withOrder(order);
            return new Element.Reference(binder.target(target), layout);
        }
        mistake(
                member,
                String.format(
                        Locale.ROOT,
                        "%s does not name the struct it points to: Pointer<S>, where S is a record"
                                + " or an interface",
                        generic.getTypeName()));
        return null;
    }

    private @Nullable Element nested(Declaration member, Class<?> inner) {
        if (!binder.canAccess(struct, member.name(), inner)) {
            return null;
        }
        Optional<StructModel> model = binder.nested(struct, member.name(), inner);
        if (model.isEmpty()) {
            return null;
        }
        if (model.get().isFlexible()) {
            mistake(
                    member,
                    String.format(
                            Locale.ROOT,
                            "%s ends in a flexible array, so nothing can contain it",
                            inner.getSimpleName()));
            return null;
        }
        return new Element.Nested(model.get());
    }

    private void mistake(Declaration member, String what) {
        mistakes.add(struct, member.name(), what);
    }
}
