package dev.kernelalloc.struct;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.StructLayout;
import java.lang.foreign.UnionLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Writes a laid out struct down as a {@link GroupLayout}: named members, explicit paddings. */
final class LayoutBuilder {

    private LayoutBuilder() {}

    static GroupLayout build(StructDescription struct, Layouter.Result placed) {
        GroupLayout group = struct.union() ? union(struct, placed) : struct(struct, placed);
        return group.withByteAlignment(placed.alignment()).withName(struct.type().getSimpleName());
    }

    private static GroupLayout struct(StructDescription struct, Layouter.Result placed) {
        List<MemoryLayout> parts = new ArrayList<>();
        long end = 0;
        for (Member member : Member.byOffset(placed.members())) {
            long memberEnd = member.offset() + member.byteSize();
            if (member.bits() > 0) {
                // Bit-fields have no layout of their own: their bytes have no name.
                long fresh = memberEnd - Math.max(end, member.offset());
                pad(parts, Math.max(0, member.offset() - end));
                if (fresh > 0) {
                    parts.add(MemoryLayout.sequenceLayout(fresh, ValueLayout.JAVA_BYTE));
                }
            } else {
                pad(parts, member.offset() - end);
                parts.add(layoutOf(member, struct.packed()));
            }
            end = Math.max(end, memberEnd);
        }
        pad(parts, placed.size() - end);
        return MemoryLayout.structLayout(parts.toArray(new MemoryLayout[0]));
    }

    private static GroupLayout union(StructDescription struct, Layouter.Result placed) {
        List<MemoryLayout> parts = new ArrayList<>();
        long largest = 0;
        for (Member member : placed.members()) {
            parts.add(
                    member.bits() > 0
                            ? MemoryLayout.sequenceLayout(member.byteSize(), ValueLayout.JAVA_BYTE)
                            : layoutOf(member, struct.packed()));
            largest = Math.max(largest, member.byteSize());
        }
        if (largest < placed.size()) {
            pad(parts, placed.size());
        }
        return MemoryLayout.unionLayout(parts.toArray(new MemoryLayout[0]));
    }

    private static void pad(List<MemoryLayout> parts, long bytes) {
        if (bytes > 0) {
            parts.add(MemoryLayout.paddingLayout(bytes));
        }
    }

    private static MemoryLayout layoutOf(Member member, boolean packed) {
        MemoryLayout layout = member.element().layout();
        if (packed) {
            layout = limitAlignment(layout, Math.max(1, member.description().alignment()));
        }
        long[] lengths = member.lengths();
        for (int dimension = lengths.length - 1; dimension >= 0; dimension--) {
            layout = MemoryLayout.sequenceLayout(lengths[dimension], layout);
        }
        long alignment = Math.max(layout.byteAlignment(), member.description().alignment());
        return layout.withByteAlignment(alignment).withName(member.name());
    }

    /** The same layout with no alignment above a limit, inside it neither. */
    private static MemoryLayout limitAlignment(MemoryLayout layout, long limit) {
        MemoryLayout limited =
                switch (layout) {
                    case ValueLayout value -> value;
                    case PaddingLayout padding -> padding;
                    case SequenceLayout sequence ->
                            MemoryLayout.sequenceLayout(
                                    sequence.elementCount(),
                                    limitAlignment(sequence.elementLayout(), limit));
                    case StructLayout struct ->
                            MemoryLayout.structLayout(limitMembers(struct, limit));
                    case UnionLayout union -> MemoryLayout.unionLayout(limitMembers(union, limit));
                };
        limited = limited.withByteAlignment(Math.min(layout.byteAlignment(), limit));
        return layout.name().map(limited::withName).orElse(limited);
    }

    private static MemoryLayout[] limitMembers(GroupLayout group, long limit) {
        return group.memberLayouts().stream()
                .map(member -> limitAlignment(member, limit))
                .toArray(MemoryLayout[]::new);
    }
}
