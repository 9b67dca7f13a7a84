package dev.kernelalloc.struct;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

/** Structs for people: the layout, and the contents. */
final class Printer {

    /** Elements of an array that are shown. */
    private static final int SHOWN_ELEMENTS = 8;

    private Printer() {}

    // ---- the layout -----------------------------------------------------------------------------

    static String describe(StructModel model, long size, long alignment) {
        StringBuilder text = new StringBuilder(model.spelling()).append(" {\n");
        List<Member> members = new ArrayList<>(model.members());
        if (!model.isUnion()) {
            members.sort(Comparator.comparingLong(Member::bitOffset));
        }
        int typeWidth =
                width(members.stream().map(member -> member.element().spelling()).toList(), 12);
        int nameWidth = width(members.stream().map(Printer::declarator).toList(), 20);
        String format = "    %-" + typeWidth + "s %-" + nameWidth + "s /* %5s %5s */%n";
        String hole = " ".repeat(4 + typeWidth + 1 + nameWidth) + " /* %s */%n";
        long end = 0;
        long holes = 0;
        long holeBytes = 0;
        for (Member member : members) {
            long gap = member.offset() - end;
            if (gap > 0 && !model.isUnion()) {
                text.append(String.format(Locale.ROOT, hole, "hole of " + bytes(gap)));
                holes++;
                holeBytes += gap;
            }
            text.append(
                    String.format(
                            Locale.ROOT,
                            format,
                            member.element().spelling(),
                            declarator(member),
                            offset(member),
                            size(member)));
            end = Math.max(end, member.offset() + member.byteSize());
        }
        if (size > end) {
            text.append(String.format(Locale.ROOT, hole, "padding of " + bytes(size - end)));
        }
        text.append(
                String.format(
                        Locale.ROOT,
                        "    /* size: %d, alignment: %d, members: %d, holes: %d (%s), padding: %s"
                                + " */%n",
                        size,
                        alignment,
                        members.size(),
                        holes,
                        bytes(holeBytes),
                        bytes(size - end)));
        return text.append("};\n").toString().replace(System.lineSeparator(), "\n");
    }

    private static int width(List<String> column, int least) {
        return Math.max(least, column.stream().mapToInt(String::length).max().orElse(0));
    }

    private static String declarator(Member member) {
        StringBuilder text = new StringBuilder(member.name());
        for (int i = 0; i < member.lengths().length; i++) {
            text.append('[')
                    .append(i == 0 && member.flexible() ? "" : member.lengths()[i])
                    .append(']');
        }
        switch (member.element()) {
            case Element.Characters characters ->
                    text.append('[').append(characters.text().length()).append(']');
            case Element.Bytes bytes ->
                    text.append('[').append(bytes.layout().byteSize()).append(']');
            default -> {
                if (member.bits() > 0) {
                    text.append(" : ").append(member.bits());
                }
            }
        }
        return text.append(';').toString();
    }

    private static String offset(Member member) {
        return member.bits() > 0
                ? String.format(Locale.ROOT, "%d:%d", member.offset(), member.bitOffset() % 8)
                : Long.toString(member.offset());
    }

    private static String size(Member member) {
        return member.bits() > 0 ? member.bits() + "b" : Long.toString(member.byteSize());
    }

    private static String bytes(long count) {
        return count == 1 ? "1 byte" : count + " bytes";
    }

    // ---- the contents ---------------------------------------------------------------------------

    static String show(StructModel model, MemorySegment segment, long offset) {
        StringJoiner text = new StringJoiner(", ", model.name() + "[", "]");
        for (Member member : model.members()) {
            text.add(member.name() + "=" + show(member, 0, segment, offset + member.offset()));
        }
        return text.toString();
    }

    /** A member from one of its dimensions inwards. */
    private static String show(Member member, int dimension, MemorySegment segment, long offset) {
        if (dimension == member.lengths().length) {
            return showElement(member, segment, offset);
        }
        long stride = member.stride(dimension);
        boolean toTheEnd = dimension == 0 && member.flexible();
        long length =
                toTheEnd ? (segment.byteSize() - offset) / stride : member.lengths()[dimension];
        boolean isBytes =
                member.element() instanceof Element.Plain plain
                        && plain.layout() instanceof ValueLayout.OfByte;
        if (isBytes && dimension == member.lengths().length - 1 && length > SHOWN_ELEMENTS) {
            return bytes(length);
        }
        StringJoiner text = new StringJoiner(", ", "[", "]");
        for (long i = 0; i < Math.min(length, SHOWN_ELEMENTS); i++) {
            text.add(show(member, dimension + 1, segment, offset + i * stride));
        }
        if (length > SHOWN_ELEMENTS) {
            text.add(String.format(Locale.ROOT, "… %d in all", length));
        }
        return text.toString();
    }

    private static String showElement(Member member, MemorySegment segment, long offset) {
        return switch (member.element()) {
            case Element.Plain plain ->
                    showPlain(plain.layout().withByteAlignment(1), segment, offset);
            case Element.TextPointer pointer ->
                    showPlain(pointer.layout().withByteAlignment(1), segment, offset);
            case Element.Nested nested -> show(nested.model(), segment, offset);
            case Element.Bytes bytes -> bytes(bytes.layout().byteSize());
            case Element.Characters characters ->
                    "\"" + characters.text().get(segment, offset) + "\"";
            case Element.Enumerated enumerated ->
                    enumerated.table().show((long) read(Codec.ofStored(member), segment, offset));
            case Element.Integral _, Element.Reference _ ->
                    String.valueOf(read(Codec.ofElement(member), segment, offset));
        };
    }

    private static Object read(Codec codec, MemorySegment segment, long offset) {
        try {
            return codec.getter().invoke(segment, offset);
        } catch (Throwable e) {
            throw Codec.unchecked(e);
        }
    }

    private static String showPlain(ValueLayout layout, MemorySegment segment, long offset) {
        return switch (layout) {
            case ValueLayout.OfBoolean l -> String.valueOf(segment.get(l, offset));
            case ValueLayout.OfByte l -> String.valueOf(segment.get(l, offset));
            case ValueLayout.OfShort l -> String.valueOf(segment.get(l, offset));
            case ValueLayout.OfChar l -> String.valueOf((int) segment.get(l, offset));
            case ValueLayout.OfInt l -> String.valueOf(segment.get(l, offset));
            case ValueLayout.OfLong l -> String.valueOf(segment.get(l, offset));
            case ValueLayout.OfFloat l -> String.valueOf(segment.get(l, offset));
            case ValueLayout.OfDouble l -> String.valueOf(segment.get(l, offset));
            case AddressLayout l ->
                    String.format(Locale.ROOT, "0x%x", segment.get(l, offset).address());
        };
    }
}
