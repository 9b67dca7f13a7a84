package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.Alignment;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Gives every member its place, as the C compilers of an {@link Abi} do. Pure arithmetic: positions
 * are counted in bits from the start of the struct.
 *
 * <p>The rules are those of the System V psABI (x86-64 3.1.2, AAPCS64 8.1.8) with GCC's attributes,
 * and of Microsoft's compiler as GCC documents them under {@code ms_struct}; there packing is
 * {@code #pragma pack(1)}.
 */
final class Layouter {

    private final Abi abi;
    private final StructDescription struct;
    private final Mistakes mistakes;
    private final List<Member> members = new ArrayList<>();

    /** The first bit behind everything placed so far. */
    private long end;

    /** The alignment of the struct so far, in bytes. */
    private long alignment;

    /**
     * Microsoft: the open unit of bit-fields, its size in bits (0: none is open) and its free bits.
     */
    private long unitBits;

    private long unitFree;

    private Layouter(Abi abi, StructDescription struct, Mistakes mistakes) {
        this.abi = abi;
        this.struct = struct;
        this.mistakes = mistakes;
        this.alignment = struct.alignment();
    }

    /**
     * @param members in the order of their description
     * @param size the size in bytes
     * @param alignment in bytes
     */
    record Result(List<Member> members, long size, long alignment) {}

    /**
     * Lays out a struct.
     *
     * @throws ArithmeticException if a position does not fit in a {@code long}
     */
    static Result layOut(Abi abi, StructDescription struct, Mistakes mistakes) {
        Layouter layouter = new Layouter(abi, struct, mistakes);
        long largest = 0;
        for (MemberDescription member : struct.members()) {
            layouter.place(member);
            largest = Math.max(largest, layouter.end);
            if (struct.union()) {
                layouter.end = 0;
                layouter.unitBits = 0;
            }
        }
        layouter.end = largest;
        layouter.checkOverlaps();
        return new Result(List.copyOf(layouter.members), layouter.size(), layouter.alignment);
    }

    private void place(MemberDescription member) {
        if (member.before() != null) {
            placeUnnamed(member.before());
        }
        if (member.bits() > 0) {
            placeBits(member);
        } else {
            placeBytes(member);
        }
    }

    private void placeBytes(MemberDescription member) {
        unitBits = 0;
        long memberAlignment = alignmentOf(member);
        alignment = Math.max(alignment, memberAlignment);
        long start = alignUp(end, bits(memberAlignment));
        if (member.offset() != MemberDescription.NO_OFFSET) {
            start = bits(member.offset());
            if (member.offset() % memberAlignment != 0) {
                mistakes.add(
                        struct.type(),
                        member.name(),
                        String.format(
                                Locale.ROOT,
                                "offset %d is no multiple of its alignment %d; choose another, or"
                                        + " pack the struct",
                                member.offset(),
                                memberAlignment));
            }
        }
        members.add(new Member(member, start));
        long size = Math.multiplyExact(member.element().layout().byteSize(), member.elements());
        end = Math.addExact(start, bits(size));
    }

    private long alignmentOf(MemberDescription member) {
        long natural = struct.packed() ? 1 : member.element().layout().byteAlignment();
        return Math.max(natural, member.alignment());
    }

    private void placeBits(MemberDescription member) {
        long unit = bits(member.element().layout().byteSize());
        long memberAlignment = alignmentOf(member);
        if (member.alignment() > 0) {
            if (abi.bitFields() == Abi.BitFieldRule.MICROSOFT) {
                mistakes.add(
                        struct.type(),
                        member.name(),
                        "Windows compilers have no aligned bit-fields");
            }
            end = alignUp(end, bits(member.alignment()));
        }
        alignment = Math.max(alignment, memberAlignment);
        members.add(new Member(member, allocateBits(member.bits(), unit, memberAlignment)));
    }

    private void placeUnnamed(UnnamedBits gap) {
        long unit = bits(Binder.bytesOf(gap.type()));
        long gapAlignment = unit / 8;
        if (gap.value() > 0) {
            gapAlignment = struct.packed() ? 1 : gapAlignment;
            allocateBits(gap.value(), unit, gapAlignment);
        } else if (abi.bitFields() == Abi.BitFieldRule.SYSTEM_V) {
            // Not influenced by packing: its one purpose is to align what follows.
            end = alignUp(end, unit);
        } else if (unitBits > 0) {
            gapAlignment = struct.packed() ? 1 : gapAlignment;
            end = alignUp(end, bits(gapAlignment));
            alignment = Math.max(alignment, gapAlignment);
            unitBits = 0;
        }
        if (abi.unnamedBitsAlign()) {
            alignment = Math.max(alignment, gapAlignment);
        }
    }

    /** Finds room for a bit-field of a declared type and returns its first bit. */
    private long allocateBits(int width, long unit, long unitAlignment) {
        return switch (abi.bitFields()) {
            case SYSTEM_V -> {
                boolean crosses = end % unit + width > unit;
                if (crosses && !struct.packed()) {
                    end = alignUp(end, unit);
                }
                long start = end;
                end = Math.addExact(end, width);
                yield start;
            }
            case MICROSOFT -> {
                if (unitBits != unit || unitFree < width) {
                    end = Math.addExact(alignUp(end, bits(unitAlignment)), unit);
                    unitBits = unit;
                    unitFree = unit;
                    alignment = Math.max(alignment, unitAlignment);
                }
                long start = end - unitFree;
                unitFree -= width;
                yield start;
            }
        };
    }

    private long size() {
        long natural = alignUp(Math.ceilDiv(end, 8), alignment);
        if (struct.size() == 0) {
            return natural;
        }
        if (struct.size() < natural || !Alignment.isAligned(struct.size(), alignment)) {
            mistakes.add(
                    struct.type(),
                    String.format(
                            Locale.ROOT,
                            "size %d is not possible: its members need %d bytes, and it is a"
                                    + " multiple of its alignment %d",
                            struct.size(),
                            natural,
                            alignment));
        }
        return struct.size();
    }

    private void checkOverlaps() {
        if (struct.union()) {
            return;
        }
        List<Member> byOffset = Member.byOffset(members);
        for (int i = 1; i < byOffset.size(); i++) {
            Member before = byOffset.get(i - 1);
            Member member = byOffset.get(i);
            long behind =
                    before.bitOffset()
                            + (before.bits() > 0 ? before.bits() : bits(before.byteSize()));
            if (member.bitOffset() < behind) {
                mistakes.add(
                        struct.type(),
                        member.name(),
                        String.format(
                                Locale.ROOT,
                                "offset %d is inside %s, which ends at %d; overlapping members"
                                        + " belong in a @Union",
                                member.offset(),
                                before.name(),
                                Math.ceilDiv(behind, 8)));
            }
        }
    }

    private static long bits(long bytes) {
        return Math.multiplyExact(bytes, 8);
    }

    /** The least multiple of {@code step} that is not below {@code value}. */
    static long alignUp(long value, long step) {
        return Math.multiplyExact(Math.ceilDiv(value, step), step);
    }
}
