package dev.kernelalloc.struct;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.StructLayout;
import java.lang.foreign.UnionLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * A struct with bit-fields as the linker takes it: members at their natural alignment, and nothing
 * but them.
 *
 * <p>The linker does not support bit-fields. Each is replaced by an integer of its declared type at
 * the place of the allocation unit, which is passed in the same register: System V passes eight
 * bytes in an integer register once any of them belong to an integer, and neither AAPCS64 nor
 * Windows counts a struct with bit-fields among those of floating-point members. A member that
 * shares bytes with such an integer becomes part of it.
 */
final class LinkerLayout {

    /** Larger structs go through memory everywhere, whatever is in them. */
    private static final long MAX_BYTES_IN_REGISTERS = 16;

    private final StructModel model;
    private final List<Piece> pieces = new ArrayList<>();

    /** A part of the struct. */
    private record Piece(long offset, MemoryLayout layout) {

        long end() {
            return offset + layout.byteSize();
        }

        boolean overlaps(Piece other) {
            return offset < other.end() && other.offset < end();
        }

        boolean contains(Piece other) {
            return offset <= other.offset && other.end() <= end();
        }
    }

    private LinkerLayout(StructModel model) {
        this.model = model;
    }

    /**
     * The layout of a struct.
     *
     * @throws UnsupportedOperationException if a bit-field crosses the integers of its type, as in
     *     a packed struct, or shares it with a union of floating-point members
     */
    static GroupLayout of(StructModel model) {
        GroupLayout layout = model.layout();
        if (layout.byteAlignment() == 1 || isPacked(layout) || !hasBits(model)) {
            return layout; // of bytes alone, or the linker refuses it
        }
        MemoryLayout[] parts =
                model.isUnion()
                        ? unionParts(model)
                        : layout.byteSize() > MAX_BYTES_IN_REGISTERS
                                ? new MemoryLayout[] {words(layout)}
                                : new LinkerLayout(model).parts();
        GroupLayout group =
                model.isUnion()
                        ? MemoryLayout.unionLayout(parts)
                        : MemoryLayout.structLayout(parts);
        return group.withByteAlignment(layout.byteAlignment()).withName(model.name());
    }

    /** Whether packing has taken a value its alignment: the linker takes none without. */
    private static boolean isPacked(MemoryLayout layout) {
        return switch (layout) {
            case ValueLayout value -> value.byteAlignment() < value.byteSize();
            case SequenceLayout sequence -> isPacked(sequence.elementLayout());
            case GroupLayout group ->
                    group.memberLayouts().stream().anyMatch(LinkerLayout::isPacked);
            case PaddingLayout _ -> false;
        };
    }

    private static boolean hasBits(StructModel model) {
        return model.members().stream()
                .anyMatch(
                        member ->
                                member.bits() > 0
                                        || member.element() instanceof Element.Nested nested
                                                && hasBits(nested.model()));
    }

    private static MemoryLayout words(GroupLayout layout) {
        long word = Math.min(layout.byteAlignment(), Long.BYTES);
        return MemoryLayout.sequenceLayout(layout.byteSize() / word, integer(word));
    }

    private static MemoryLayout[] unionParts(StructModel model) {
        List<MemoryLayout> parts = new ArrayList<>();
        model.members().forEach(member -> parts.add(piece(member).layout));
        long size = model.layout().byteSize();
        if (parts.stream().allMatch(part -> part.byteSize() < size)) {
            parts.add(MemoryLayout.paddingLayout(size));
        }
        return parts.toArray(MemoryLayout[]::new);
    }

    private MemoryLayout[] parts() {
        model.members().stream()
                .filter(m -> m.bits() == 0)
                .map(LinkerLayout::piece)
                .forEach(pieces::add);
        model.members().stream()
                .filter(m -> m.bits() > 0)
                .map(LinkerLayout::piece)
                .forEach(this::merge);
        pieces.sort(Comparator.comparingLong(Piece::offset));
        List<MemoryLayout> parts = new ArrayList<>();
        long end = 0;
        for (Piece piece : pieces) {
            pad(parts, piece.offset - end);
            parts.add(piece.layout);
            end = piece.end();
        }
        pad(parts, model.layout().byteSize() - end);
        return parts.toArray(MemoryLayout[]::new);
    }

    private static void pad(List<MemoryLayout> parts, long bytes) {
        if (bytes > 0) {
            parts.add(MemoryLayout.paddingLayout(bytes));
        }
    }

    /** A member; of a bit-field the integer that it is part of. */
    private static Piece piece(Member member) {
        if (member.bits() > 0) {
            long unit = member.element().layout().byteSize();
            Piece integer = new Piece(member.offset() / unit * unit, integer(unit));
            if (member.bitOffset() + member.bits() > integer.end() * 8) {
                throw new UnsupportedOperationException(
                        String.format(
                                Locale.ROOT,
                                "%s crosses the integers of its type, as in a packed struct: the"
                                        + " linker has no layout for it",
                                member.name()));
            }
            return integer;
        }
        MemoryLayout layout =
                member.element() instanceof Element.Nested nested
                        ? of(nested.model())
                        : member.element().layout();
        for (int i = member.lengths().length - 1; i >= 0; i--) {
            layout = MemoryLayout.sequenceLayout(member.lengths()[i], layout);
        }
        return new Piece(member.offset(), layout);
    }

    /** Adds an integer in place of all that shares bytes with it. */
    private void merge(Piece integer) {
        for (Piece piece : List.copyOf(pieces)) {
            if (!integer.overlaps(piece)) {
                continue;
            }
            if (piece.layout instanceof ValueLayout && piece.contains(integer)) {
                return; // an integer of a wider bit-field
            }
            pieces.remove(piece);
            if (!integer.contains(piece)) {
                pieces.addAll(partsOf(piece));
                merge(integer);
                return;
            }
        }
        pieces.add(integer);
    }

    private List<Piece> partsOf(Piece whole) {
        List<Piece> parts = new ArrayList<>();
        long offset = whole.offset;
        switch (whole.layout) {
            case SequenceLayout sequence -> {
                for (long i = 0; i < sequence.elementCount(); i++) {
                    parts.add(new Piece(offset, sequence.elementLayout()));
                    offset += sequence.elementLayout().byteSize();
                }
            }
            case StructLayout struct -> {
                for (MemoryLayout member : struct.memberLayouts()) {
                    if (!(member instanceof PaddingLayout)) {
                        parts.add(new Piece(offset, member));
                    }
                    offset += member.byteSize();
                }
            }
            default -> {
                if (mayHoldReals(whole.layout)) {
                    throw new UnsupportedOperationException(
                            String.format(
                                    Locale.ROOT,
                                    "%s: a bit-field shares an integer with the union %s, so no"
                                            + " layout has the bytes of both",
                                    model.name(),
                                    whole.layout));
                }
                for (; offset < whole.end(); offset++) {
                    parts.add(new Piece(offset, ValueLayout.JAVA_BYTE));
                }
            }
        }
        return parts;
    }

    private static boolean mayHoldReals(MemoryLayout layout) {
        return switch (layout) {
            case ValueLayout.OfFloat _, ValueLayout.OfDouble _ -> true;
            case SequenceLayout sequence -> mayHoldReals(sequence.elementLayout());
            case StructLayout struct ->
                    struct.memberLayouts().stream().anyMatch(LinkerLayout::mayHoldReals);
            case UnionLayout union ->
                    union.memberLayouts().stream().anyMatch(LinkerLayout::mayHoldReals);
            case ValueLayout _, PaddingLayout _ -> false;
        };
    }

    private static ValueLayout integer(long bytes) {
        return switch ((int) bytes) {
            case 1 -> ValueLayout.JAVA_BYTE;
            case 2 -> ValueLayout.JAVA_SHORT;
            case 4 -> ValueLayout.JAVA_INT;
            default -> ValueLayout.JAVA_LONG;
        };
    }
}
