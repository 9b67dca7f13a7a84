package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Reads what is said about one member, and checks that it goes together. */
final class MemberReader {

    private static final Shape FLEXIBLE_BYTES = new Shape(byte.class, byte.class, 1);

    private final ElementReader elements;
    private final Mistakes mistakes;
    private final Class<?> struct;
    private final ByteOrder structOrder;

    MemberReader(ElementReader elements, Mistakes mistakes, Class<?> struct) {
        this.elements = elements;
        this.mistakes = mistakes;
        this.struct = struct;
        Struct annotation = struct.getAnnotation(Struct.class);
        this.structOrder = (annotation == null ? Endian.NATIVE : annotation.order()).byteOrder();
    }

    /**
     * The description of a member, without its accessors.
     *
     * @return empty if there was a mistake
     */
    Optional<MemberDescription> read(Declaration member, Shape declared) {
        int before = mistakes.count();
        checkAnnotations(member);
        long[] lengths = lengths(member);
        Shape shape = isFlexibleBytes(member, declared, lengths) ? FLEXIBLE_BYTES : declared;
        boolean lastIsInner = lastLengthIsInner(shape, lengths);
        long innerLength = lastIsInner ? lengths[lengths.length - 1] : 0;
        long[] outer = lastIsInner ? Arrays.copyOf(lengths, lengths.length - 1) : lengths;
        if (mistakes.count() == before) {
            checkLengths(member, shape, outer, innerLength);
        }
        if (mistakes.count() > before) {
            return Optional.empty();
        }
        Order order = member.find(Order.class);
        ByteOrder byteOrder = order == null ? structOrder : order.value().byteOrder();
        Element element = elements.read(member, shape, innerLength, byteOrder);
        if (element == null) {
            return Optional.empty();
        }
        Access access = member.find(Access.class);
        MemoryOrder mode = access == null ? MemoryOrder.PLAIN : access.value();
        Bits bits = member.find(Bits.class);
        int width = bits == null ? 0 : bits.value();
        checkBits(member, element, outer);
        checkMode(member, element, mode);
        if (mistakes.count() > before) {
            return Optional.empty();
        }
        Align align = member.find(Align.class);
        Offset offset = member.find(Offset.class);
        return Optional.of(
                new MemberDescription(
                        member.name(),
                        element,
                        outer,
                        member.has(Flexible.class),
                        mode,
                        byteOrder,
                        width,
                        align == null ? 0 : align.value(),
                        offset == null ? MemberDescription.NO_OFFSET : offset.value(),
                        member.find(UnnamedBits.class),
                        List.of()));
    }

    private void checkLengths(Declaration member, Shape shape, long[] outer, long innerLength) {
        if (shape.leaf() == String.class && innerLength == 0 && !member.has(CString.class)) {
            mistake(
                    member,
                    "a String is a character array: give its length in characters with @Length");
        } else if (outer.length != shape.dimensions()) {
            mistake(
                    member,
                    outer.length == 0
                            ? "an inline array needs a length for each dimension: @Length"
                            : String.format(
                                    Locale.ROOT,
                                    "has %d dimension(s) in Java and %d by its @Length and"
                                            + " @Flexible",
                                    shape.dimensions(),
                                    outer.length));
        }
    }

    /** Whether the member is {@code unsigned char name[]}, seen as a slice alone. */
    private static boolean isFlexibleBytes(Declaration member, Shape shape, long[] lengths) {
        return member.has(Flexible.class)
                && shape.leaf() == MemorySegment.class
                && shape.dimensions() == 0
                && lengths.length == 1;
    }

    private static boolean lastLengthIsInner(Shape shape, long[] lengths) {
        boolean canBe = shape.leaf() == String.class || shape.leaf() == MemorySegment.class;
        return canBe && lengths.length == shape.dimensions() + 1;
    }

    private void checkAnnotations(Declaration member) {
        for (Class<?> annotation : member.contradictions()) {
            mistake(
                    member,
                    "accessors disagree on @" + annotation.getSimpleName() + "; one is enough");
        }
        Align align = member.find(Align.class);
        if (align != null && !Alignment.isPowerOfTwo(align.value())) {
            mistake(
                    member,
                    String.format(Locale.ROOT, "@Align(%d) is no power of two", align.value()));
        }
        Offset offset = member.find(Offset.class);
        if (offset != null && offset.value() < 0) {
            mistake(member, String.format(Locale.ROOT, "@Offset(%d) is negative", offset.value()));
        }
        if (offset != null && struct.isAnnotationPresent(Union.class)) {
            mistake(member, "a member of a @Union begins at offset 0; remove the @Offset");
        }
        UnnamedBits gap = member.find(UnnamedBits.class);
        if (gap != null) {
            int unit = Binder.bytesOf(gap.type()) * 8;
            if (unit == 0 || gap.type() == float.class || gap.type() == double.class) {
                mistake(
                        member,
                        String.format(
                                Locale.ROOT,
                                "@UnnamedBits has the type %s; use an integer type",
                                gap.type()));
            } else if (gap.value() < 0 || gap.value() > unit) {
                mistake(
                        member,
                        String.format(
                                Locale.ROOT,
                                "@UnnamedBits(%d) is not within 0 and %d",
                                gap.value(),
                                unit));
            }
        }
    }

    /** All lengths, outermost first; a flexible array has 0 in front. */
    private long[] lengths(Declaration member) {
        Length length = member.find(Length.class);
        long[] lengths = length == null ? new long[0] : length.value();
        if (length != null && lengths.length == 0) {
            mistake(member, "@Length has no lengths");
        }
        for (long l : lengths) {
            if (l <= 0) {
                mistake(member, String.format(Locale.ROOT, "@Length(%d) is not positive", l));
            }
        }
        if (member.has(Flexible.class)) {
            long[] flexible = new long[lengths.length + 1];
            System.arraycopy(lengths, 0, flexible, 1, lengths.length);
            return flexible;
        }
        return lengths;
    }

    private void checkMode(Declaration member, Element element, MemoryOrder mode) {
        if (mode != MemoryOrder.PLAIN && (!element.isScalar() || member.has(Bits.class))) {
            mistake(
                    member,
                    String.format(
                            Locale.ROOT,
                            "@Access(%s) needs a member that one instruction accesses: a primitive,"
                                    + " an enum or a pointer",
                            mode));
        }
    }

    private void checkBits(Declaration member, Element element, long[] lengths) {
        Bits bits = member.find(Bits.class);
        if (bits == null) {
            return;
        }
        long unit = element.layout().byteSize() * 8;
        if (lengths.length > 0) {
            mistake(member, "C has no arrays of bit-fields");
        }
        if (!(element instanceof Element.Integral || element instanceof Element.Enumerated)) {
            mistake(member, "a bit-field is an integer, a boolean or an enum");
        } else if (bits.value() < 1 || bits.value() > unit) {
            mistake(
                    member,
                    String.format(
                            Locale.ROOT, "@Bits(%d) is not within 1 and %d", bits.value(), unit));
        }
        if (element.carrier() == boolean.class && bits.value() != 1) {
            mistake(member, "a boolean bit-field has one bit: @Bits(1)");
        }
        if (member.has(Offset.class)) {
            mistake(
                    member,
                    "the place of a bit-field follows from the ones before it; remove the @Offset");
        }
    }

    private void mistake(Declaration member, String what) {
        mistakes.add(struct, member.name(), what);
    }
}
