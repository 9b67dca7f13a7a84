package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.UnionLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Compares two layouts of one struct. Each member of the other layout needs one of ours: that of
 * its name, if there is one, and otherwise any at its place. So members may have names of their
 * own, but two that are exchanged are found.
 *
 * <p>Members of ours without one of the other are accepted: they are in its paddings, as any other
 * place is that of a member that is compared. Unnamed members hold bit-fields, which jextract
 * leaves out, and are not compared.
 */
final class LayoutComparison {

    /**
     * A member that is no single struct: a value, or an array.
     *
     * @param element the innermost element of an array; otherwise the value
     */
    private record Place(
            String path, long offset, long bytes, boolean isArray, MemoryLayout element) {

        /** Whether a value of the other layout is one here: bytes and texts are any array. */
        boolean holds(Place other) {
            if (offset != other.offset || bytes != other.bytes) {
                return false;
            }
            boolean isBytes = isArray && element.byteSize() == 1;
            return isBytes && other.isArray
                    || element.byteSize() == other.element.byteSize()
                            && kind(element).equals(kind(other.element));
        }

        private static String kind(MemoryLayout layout) {
            return switch (layout) {
                case ValueLayout.OfFloat _, ValueLayout.OfDouble _ -> "number";
                case ValueLayout _ -> "integer"; // or an address
                default -> "struct";
            };
        }

        String show() {
            String type =
                    switch (element) {
                        case AddressLayout _ -> "pointer";
                        case ValueLayout value -> value.carrier().getSimpleName();
                        default -> "struct of " + element.byteSize();
                    };
            String length =
                    isArray && element.byteSize() > 0 ? "[" + bytes / element.byteSize() + "]" : "";
            return type + length + " at " + offset;
        }
    }

    private final List<Place> places = new ArrayList<>();

    private LayoutComparison(GroupLayout layout) {
        collect(layout, "", 0);
    }

    static List<String> differences(StructModel model, GroupLayout other) {
        List<String> found = new ArrayList<>();
        GroupLayout own = model.layout();
        String name = model.type().getSimpleName();
        compare(found, "size", other.byteSize(), own.byteSize(), name);
        compare(found, "alignment", other.byteAlignment(), own.byteAlignment(), name);
        List<Place> ours = new LayoutComparison(own).places;
        Map<String, Place> byName = new HashMap<>();
        ours.forEach(place -> byName.putIfAbsent(place.path, place));
        for (Place there : new LayoutComparison(other).places) {
            Place here = byName.get(there.path);
            here = here == null ? byName.get(camelCase(there.path)) : here;
            here = here == null ? first(ours, place -> place.holds(there)) : here;
            here = here == null ? first(ours, place -> place.offset == there.offset) : here;
            if (here == null || !here.holds(there)) {
                found.add(
                        String.format(
                                Locale.ROOT,
                                "%s: %s in the layout, %s in %s",
                                there.path,
                                there.show(),
                                here == null ? "nothing" : here.path + ": " + here.show(),
                                name));
            }
        }
        return List.copyOf(found);
    }

    private static void compare(
            List<String> found, String what, long there, long here, String name) {
        if (there != here) {
            found.add(
                    String.format(
                            Locale.ROOT,
                            "%s: %d in the layout, %d in %s",
                            what,
                            there,
                            here,
                            name));
        }
    }

    private static @Nullable Place first(Collection<Place> places, Predicate<Place> condition) {
        return places.stream().filter(condition).findFirst().orElse(null);
    }

    private void collect(GroupLayout group, String prefix, long base) {
        long offset = base;
        for (MemoryLayout member : group.memberLayouts()) {
            String path = member.name().map(name -> prefix + name).orElse("");
            if (member instanceof GroupLayout inner) {
                collect(inner, path.isEmpty() ? prefix : path + ".", offset);
            } else if (!(member instanceof PaddingLayout) && !path.isEmpty()) {
                add(member, path, offset);
            }
            offset += group instanceof UnionLayout ? 0 : member.byteSize();
        }
    }

    private void add(MemoryLayout member, String path, long offset) {
        MemoryLayout element = member;
        StringBuilder first = new StringBuilder(path);
        while (element instanceof SequenceLayout sequence) {
            element = sequence.elementLayout();
            first.append("[0]");
        }
        if (member.byteSize() > 0) { // a flexible array ends the struct, whose size is compared
            boolean isArray = member instanceof SequenceLayout;
            places.add(new Place(path, offset, member.byteSize(), isArray, element));
            if (element instanceof GroupLayout inner) {
                collect(inner, first.append('.').toString(), offset);
            }
        }
    }

    /** A name of C as Java spells it: {@code st_size} becomes {@code stSize}. */
    private static String camelCase(String path) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < path.length(); i++) {
            boolean joined = path.charAt(i) == '_' && i + 1 < path.length() && i > 0;
            text.append(joined ? Character.toUpperCase(path.charAt(++i)) : path.charAt(i));
        }
        return text.toString();
    }
}
