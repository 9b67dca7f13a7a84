package dev.kernelalloc.cli.ctypes;

import dev.kernelalloc.struct.StructType;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.UnionLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** Compares a struct in Java with the places of its members in C. */
public final class LayoutCheck {

    private LayoutCheck() {}

    /**
     * Returns every difference: size, and offset and size of each member. A bit-field is written
     * with ones, and the bits that change in memory are its place.
     */
    public static List<String> differences(StructType<?> type, Declaration declaration) {
        List<String> found = new ArrayList<>();
        if (type.byteSize() != declaration.bytes()) {
            found.add(
                    String.format(
                            Locale.ROOT,
                            "size: %d in Java, %d in C",
                            type.byteSize(),
                            declaration.bytes()));
        }
        for (Declaration.Placed member : declaration.members()) {
            try {
                String here = member.bits() > 0 ? bits(type, member) : bytes(type, member);
                String there = member.bits() > 0 ? bitsInC(member) : bytesInC(member);
                if (!here.equals(there)) {
                    found.add(member.path() + ": " + here + " in Java, " + there + " in C");
                }
            } catch (IllegalArgumentException _) {
                found.add(member.path() + ": not in Java, " + bytesInC(member) + " in C");
            }
        }
        return found;
    }

    /**
     * Returns the members of C that another declaration, with names of its own, has nowhere: those
     * without a member of the same offset and size. Bit-fields are found by their names, in C or in
     * camel case.
     */
    public static List<String> differencesByPlace(StructType<?> type, Declaration declaration) {
        List<String> found = new ArrayList<>();
        Set<String> places = new HashSet<>();
        collect(type.layout(), 0, places);
        if (type.byteSize() != declaration.bytes()) {
            found.add(
                    String.format(
                            Locale.ROOT,
                            "size: %d in Java, %d in C",
                            type.byteSize(),
                            declaration.bytes()));
        }
        for (Declaration.Placed member : declaration.members()) {
            if (member.bits() > 0) {
                compareBits(type, member).ifPresent(found::add);
            } else if (!places.contains(bytesInC(member))) {
                found.add(member.path() + ": " + bytesInC(member) + " in C, nothing in Java");
            }
        }
        return found;
    }

    private static void collect(MemoryLayout layout, long offset, Set<String> places) {
        switch (layout) {
            case GroupLayout group -> {
                for (int i = 0; i < group.memberLayouts().size(); i++) {
                    MemoryLayout member = group.memberLayouts().get(i);
                    long at =
                            offset
                                    + (group instanceof UnionLayout
                                            ? 0
                                            : group.byteOffset(PathElement.groupElement(i)));
                    if (member.name().isPresent()) {
                        places.add(place(at, member.byteSize()));
                        collect(member, at, places);
                    }
                }
            }
            case SequenceLayout sequence when sequence.elementCount() > 0 ->
                    collect(sequence.elementLayout(), offset, places);
            default -> {}
        }
    }

    private static Optional<String> compareBits(StructType<?> type, Declaration.Placed member) {
        for (String path : List.of(member.path(), camelCase(member.path()))) {
            try {
                String here = bits(type, new Declaration.Placed(path, 0, member.bits(), 0));
                return here.equals(bitsInC(member))
                        ? Optional.empty()
                        : Optional.of(
                                path + ": " + here + " in Java, " + bitsInC(member) + " in C");
            } catch (IllegalArgumentException _) {
                // the next name
            }
        }
        return Optional.of(member.path() + ": no bit-field of that name in Java");
    }

    private static String camelCase(String name) {
        return Pattern.compile("_([a-z0-9])")
                .matcher(name)
                .replaceAll(letter -> letter.group(1).toUpperCase(Locale.ROOT));
    }

    private static String bytesInC(Declaration.Placed member) {
        return place(member.bitOffset() / Byte.SIZE, member.bytes());
    }

    private static String bitsInC(Declaration.Placed member) {
        BitSet bits = new BitSet();
        bits.set((int) member.bitOffset(), (int) member.bitOffset() + member.bits());
        return bits.toString();
    }

    private static String place(long offset, long bytes) {
        return String.format(Locale.ROOT, "%d bytes at %d", bytes, offset);
    }

    private static String bytes(StructType<?> type, Declaration.Placed member) {
        MemoryLayout layout = type.layout();
        return place(
                layout.byteOffset(elements(member.path(), PathElement.sequenceElement(0))),
                layout.select(elements(member.path(), PathElement.sequenceElement())).byteSize());
    }

    private static PathElement[] elements(String path, PathElement first) {
        List<PathElement> elements = new ArrayList<>();
        for (String step : path.split("\\.")) {
            int bracket = step.indexOf('[');
            elements.add(PathElement.groupElement(bracket < 0 ? step : step.substring(0, bracket)));
            for (int i = bracket; i >= 0; i = step.indexOf('[', i + 1)) {
                elements.add(first);
            }
        }
        return elements.toArray(PathElement[]::new);
    }

    private static String bits(StructType<?> type, Declaration.Placed member) {
        MemorySegment memory = MemorySegment.ofArray(new long[(int) (type.byteSize() + 7) / 8]);
        MethodHandle setter = type.setter(member.path());
        Object ones = ones(setter.type().parameterType(2), member.bits());
        try {
            setter.invoke(memory, 0L, ones);
        } catch (IllegalArgumentException _) { // signed: all ones are -1
            set(setter, memory, ones(setter.type().parameterType(2), Long.SIZE));
        } catch (Throwable e) {
            throw new AssertionError(member.path(), e);
        }
        return BitSet.valueOf(memory.toArray(ValueLayout.JAVA_BYTE)).toString();
    }

    private static void set(MethodHandle setter, MemorySegment memory, Object value) {
        try {
            setter.invoke(memory, 0L, value);
        } catch (Throwable e) {
            throw new AssertionError(setter.toString(), e);
        }
    }

    private static Object ones(Class<?> carrier, int bits) {
        long value = bits >= Long.SIZE ? -1 : (1L << bits) - 1;
        return switch (carrier.getName()) {
            case "boolean" -> true;
            case "byte" -> (byte) value;
            case "short" -> (short) value;
            case "int" -> (int) value;
            default -> value;
        };
    }
}
