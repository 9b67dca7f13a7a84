package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.UnionLayout;
import java.lang.invoke.MethodHandles;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * A struct on its way from a Java type to a {@link StructType}. It is made empty, because a pointer
 * may lead to a struct that is not yet known; it is laid out, and then linked, once each, by one
 * thread before the type is published.
 */
final class StructModel {

    /**
     * How deep structs nest, the outermost counted: reading, printing and comparing them recurse. A
     * C compiler has to support 63 within one declaration.
     */
    static final int MAX_LEVELS = 64;

    private final Class<?> type;
    private @Nullable Placement placement;
    private int levels;
    private @Nullable StructType<?> structType;
    private @Nullable Class<?> viewClass;
    private MethodHandles.@Nullable Lookup lookup;

    /**
     * @param accessAlignment the alignment in bytes that the access modes of its members need
     */
    record Placement(List<Member> members, GroupLayout layout, long accessAlignment) {}

    StructModel(Class<?> type) {
        this.type = type;
    }

    /**
     * Returns the model that a new type is made for: each has one type. So no type comes from
     * elsewhere, which {@link StructType#newBox} relies on, as it is given the key of boxes.
     */
    static StructModel requireUnlinked(@Nullable Object model) {
        if (model instanceof StructModel own && own.structType == null) {
            return own;
        }
        throw new IllegalCallerException(
                "StructType cannot be extended: get a type from StructType.of");
    }

    void place(Placement found) {
        placement = found;
        levels = 1;
        for (Member member : found.members) {
            if (member.element() instanceof Element.Nested nested) {
                levels = Math.max(levels, nested.model().levels + 1);
            }
        }
    }

    /**
     * @param definer what its classes are defined with; null for a struct known by its layout alone
     */
    void link(StructType<?> generated, MethodHandles.@Nullable Lookup definer) {
        structType = generated;
        lookup = definer;
    }

    /** The class data for classes that reach its type. */
    MethodHandles.@Nullable Lookup lookup() {
        return lookup;
    }

    /** Remembers the generated class of the views, before the type is published. */
    void showIn(Class<?> generated) {
        viewClass = generated;
        ViewStructs.put(generated, this);
    }

    /** The generated class of the views; null for a record. */
    @Nullable Class<?> viewClass() {
        return viewClass;
    }

    /** Whether this struct has every member of another one at the same offset. */
    boolean beginsWith(StructModel base) {
        return layout().byteSize() >= base.layout().byteSize()
                && base.members().stream()
                        .allMatch(member -> members().stream().anyMatch(member::isSameAs));
    }

    boolean isLaidOut() {
        return placement != null;
    }

    Class<?> type() {
        return type;
    }

    boolean isView() {
        return type.isInterface();
    }

    boolean isUnion() {
        return layout() instanceof UnionLayout;
    }

    List<Member> members() {
        return placement().members;
    }

    GroupLayout layout() {
        return placement().layout;
    }

    /** How deep structs nest in this one, itself counted. */
    int levels() {
        return levels;
    }

    long accessAlignment() {
        return placement().accessAlignment;
    }

    StructType<?> structType() {
        return Objects.requireNonNull(structType, "not linked");
    }

    boolean isFlexible() {
        return !members().isEmpty() && members().getLast().flexible();
    }

    /**
     * Whether its values are copies to the last bit: records of records, without a view that would
     * reach the memory later.
     */
    boolean isCopied() {
        return !isView() && type != MemorySegment.class && hasOnlyCopies();
    }

    private boolean hasOnlyCopies() {
        for (Member member : members()) {
            if (member.element() instanceof Element.Nested nested && !nested.model().isCopied()) {
                return false;
            }
        }
        return true;
    }

    /** Whether a value of it may contain texts that need memory of their own. */
    boolean hasTextPointers() {
        for (Member member : members()) {
            if (member.element() instanceof Element.TextPointer
                    || member.element() instanceof Element.Nested nested
                            && nested.model().hasTextPointers()) {
                return true;
            }
        }
        return false;
    }

    /** Whether a value of it, or a struct in it, leads to memory elsewhere. */
    boolean followsPointers() {
        for (Member member : members()) {
            boolean follows =
                    switch (member.element()) {
                        case Element.TextPointer _, Element.Reference _ -> true;
                        case Element.Nested nested -> nested.model().followsPointers();
                        default -> false;
                    };
            if (follows) {
                return true;
            }
        }
        return false;
    }

    /** The name, as C spells it. */
    String spelling() {
        boolean union = placement != null && isUnion() || type.isAnnotationPresent(Union.class);
        String kind = union ? "union" : "struct";
        boolean anonymous = placement != null && placement.layout.name().isEmpty();
        return anonymous ? kind : kind + " " + name();
    }

    /** The name alone: of a struct known by its layout that of the layout. */
    String name() {
        return placement == null ? type.getSimpleName() : placement.layout.name().orElse("struct");
    }

    /** The struct at a place, for people; of memory that cannot be read, the place alone. */
    String show(MemorySegment segment, long offset) {
        if (segment.isAccessibleBy(Thread.currentThread()) && segment.scope().isAlive()) {
            return Printer.show(this, segment, offset);
        }
        return String.format(
                Locale.ROOT,
                "%s[%s at 0x%x, %d bytes]",
                name(),
                segment.scope().isAlive() ? "of another thread," : "closed, was",
                segment.address() + offset,
                layout().byteSize());
    }

    private Placement placement() {
        return Objects.requireNonNull(placement, "not laid out");
    }
}
