package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.UnionLayout;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** A struct known by its layout alone, seen as a segment. */
final class SegmentStruct extends StructType<MemorySegment> {

    private final long byteSize;
    private final long byteAlignment;

    private SegmentStruct(StructModel model) {
        super(model);
        this.byteSize = model.layout().byteSize();
        this.byteAlignment = model.layout().byteAlignment();
    }

    static SegmentStruct ofLayout(MemoryLayout layout) {
        return ofLayout(layout, 1);
    }

    private static SegmentStruct ofLayout(MemoryLayout layout, int level) {
        if (level > StructModel.MAX_LEVELS) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "the layout nests groups too deep: levels=%d limit=%d",
                            level,
                            StructModel.MAX_LEVELS));
        }
        if (layout.byteSize() > Long.MAX_VALUE - layout.byteAlignment()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s: %d bytes aligned to %d are more than can be addressed",
                            layout,
                            layout.byteSize(),
                            layout.byteAlignment()));
        }
        GroupLayout group = layout instanceof GroupLayout g ? g : structOf(layout);
        StructModel model = new StructModel(MemorySegment.class);
        model.place(new StructModel.Placement(members(group, level), group, 1));
        SegmentStruct struct = new SegmentStruct(model);
        model.link(struct, null);
        return struct;
    }

    /** A struct of one member, with the name of the layout, if it has one. */
    private static GroupLayout structOf(MemoryLayout layout) {
        GroupLayout group = MemoryLayout.structLayout(layout.withName("value"));
        return layout.name().map(group::withName).orElse(group);
    }

    private static List<Member> members(GroupLayout group, int level) {
        List<Member> members = new ArrayList<>();
        long offset = 0;
        for (MemoryLayout part : group.memberLayouts()) {
            if (!(part instanceof PaddingLayout)) {
                members.add(new Member(describe(part, level), offset * 8));
            }
            offset += group instanceof UnionLayout ? 0 : part.byteSize();
        }
        return List.copyOf(members);
    }

    private static MemberDescription describe(MemoryLayout part, int level) {
        List<Long> lengths = new ArrayList<>();
        MemoryLayout leaf = part;
        while (leaf instanceof SequenceLayout sequence) {
            lengths.add(sequence.elementCount());
            leaf = sequence.elementLayout();
        }
        Element element =
                switch (leaf) {
                    case ValueLayout value ->
                            new Element.Plain(value.carrier(), value, spelling(value));
                    case GroupLayout group ->
                            new Element.Nested(ofLayout(group, level + 1).model());
                    default -> new Element.Bytes(leaf);
                };
        return new MemberDescription(
                part.name().orElse("(unnamed)"),
                element,
                lengths.stream().mapToLong(Long::longValue).toArray(),
                false,
                MemoryOrder.PLAIN,
                leaf instanceof ValueLayout value ? value.order() : ByteOrder.nativeOrder(),
                0,
                0,
                MemberDescription.NO_OFFSET,
                null,
                List.of());
    }

    private static String spelling(ValueLayout value) {
        return value instanceof AddressLayout ? "void *" : value.carrier().getSimpleName();
    }

    @Override
    public Class<MemorySegment> type() {
        return MemorySegment.class;
    }

    @Override
    public long byteSize() {
        return byteSize;
    }

    @Override
    public boolean isView() {
        return true;
    }

    @Override
    public long byteAlignment() {
        return byteAlignment;
    }

    @Override
    public boolean followsPointers() {
        return false;
    }

    @Override
    public MemorySegment get(MemorySegment segment) {
        return segment.byteSize() == byteSize ? segment : segment.asSlice(0, byteSize);
    }

    @Override
    public MemorySegment get(MemorySegment segment, long offset) {
        return segment.asSlice(offset, byteSize);
    }

    @Override
    public void set(MemorySegment segment, MemorySegment value) {
        set(segment, 0, value);
    }

    @Override
    public void set(MemorySegment segment, long offset, MemorySegment value) {
        Objects.requireNonNull(value, "value");
        if (value.byteSize() != byteSize) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%d bytes passed, %s has %d",
                            value.byteSize(),
                            this,
                            byteSize));
        }
        BulkMemory.copy(value, 0, segment, offset, byteSize);
    }
}
