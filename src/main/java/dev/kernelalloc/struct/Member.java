package dev.kernelalloc.struct;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A member in its place.
 *
 * @param bitOffset its first bit, from the start of the struct; of a member that is no bit-field a
 *     multiple of 8
 */
record Member(MemberDescription description, long bitOffset) {

    /**
     * Returns members in the order of their places, those at one place in the order given: an
     * insertion sort, as members mostly come in order.
     */
    static List<Member> byOffset(List<Member> members) {
        List<Member> sorted = new ArrayList<>(members.size());
        for (Member member : members) {
            int at = sorted.size();
            while (at > 0 && sorted.get(at - 1).bitOffset > member.bitOffset) {
                at--;
            }
            sorted.add(at, member);
        }
        return sorted;
    }

    String name() {
        return description.name();
    }

    Element element() {
        return description.element();
    }

    long[] lengths() {
        return description.lengths();
    }

    boolean isArray() {
        return description.lengths().length > 0;
    }

    /** Whether a member of another struct has the name, the place and the bytes of this one. */
    boolean isSameAs(Member other) {
        return name().equals(other.name())
                && bitOffset == other.bitOffset
                && bits() == other.bits()
                && order() == other.order()
                && flexible() == other.flexible()
                && Arrays.equals(lengths(), other.lengths())
                && element().carrier() == other.element().carrier()
                && element().layout().equals(other.element().layout());
    }

    boolean flexible() {
        return description.flexible();
    }

    MemoryOrder mode() {
        return description.mode();
    }

    ByteOrder order() {
        return description.order();
    }

    int bits() {
        return description.bits();
    }

    /** The byte in which the member begins. */
    long offset() {
        return bitOffset / 8;
    }

    /** The bytes that hold the member, of a bit-field those it has a bit in. */
    long byteSize() {
        if (bits() > 0) {
            return (bitOffset % 8 + bits() + 7) / 8;
        }
        return element().layout().byteSize() * description.elements();
    }

    /** The bytes from one element of a dimension to the next. */
    long stride(int dimension) {
        long bytes = element().layout().byteSize();
        for (int inner = dimension + 1; inner < lengths().length; inner++) {
            bytes *= lengths()[inner];
        }
        return bytes;
    }

    /**
     * The layout to access a value with. A plain access needs no alignment, so that a struct inside
     * a packed one, or at a strange address, can be read; every other access needs the natural one.
     */
    <L extends ValueLayout> L accessLayout(L layout) {
        @SuppressWarnings(
                "unchecked") // a layout with another alignment is a layout of the same kind
        L unaligned = (L) layout.withByteAlignment(1);
        return mode() == MemoryOrder.PLAIN ? unaligned : layout;
    }
}
