package dev.kernelalloc.cli.ctypes;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import javax.lang.model.SourceVersion;

/**
 * Writes the interface that declares a C struct.
 *
 * <p>Debug information has offsets and sizes, but neither alignments nor {@code packed}. Both are
 * derived: a struct whose members or size contradict the natural alignments is packed, and whatever
 * the rules of C alone would place elsewhere gets its offset. Anything else is refused, never
 * guessed.
 */
public final class DeclarationWriter {

    private static final String INDENT = "    ";

    /** The paths of all members together: those of the largest struct of Linux have a tenth. */
    private static final int MAX_PATH_CHARS = 16 << 20;

    /** Methods of every object and view, which a member cannot have as its name. */
    private static final Set<String> METHODS =
            Set.of(
                    "toString",
                    "hashCode",
                    "equals",
                    "asSegment",
                    "getClass",
                    "notify",
                    "notifyAll",
                    "wait",
                    "clone",
                    "finalize");

    private static final List<String> ANNOTATIONS =
            List.of("Bits", "Flexible", "Length", "Offset", "Struct", "Union", "UnnamedBits");

    private final List<Declaration.Placed> placed = new ArrayList<>();
    private final Map<CType.Compound, Long> alignments = new IdentityHashMap<>();
    private final Map<CType.Compound, Boolean> packedOnes = new IdentityHashMap<>();
    private final Map<CType.Compound, String> names = new HashMap<>();
    private final Set<String> taken = new HashSet<>(ANNOTATIONS);
    private final List<String> nested = new ArrayList<>();
    private long pathChars;

    private DeclarationWriter() {
        taken.addAll(List.of("MemorySegment", "String", "Object"));
    }

    /**
     * Returns the declaration of a struct or a union, with those of all that are inside it.
     *
     * @throws Unsupported if it has a member that no declaration expresses, or more members inside
     *     each other than a program can name
     */
    public static Declaration write(CType.Compound root) throws Unsupported {
        DeclarationWriter writer = new DeclarationWriter();
        String name = writer.newName(root.name());
        writer.collect(root, "", 0);
        String body = writer.body(root, name, true);
        StringBuilder source = new StringBuilder();
        String types = body + String.join("", writer.nested);
        TreeSet<String> imports = new TreeSet<>();
        for (String annotation : ANNOTATIONS) {
            if (types.contains("@" + annotation)) {
                imports.add("dev.kernelalloc.struct." + annotation);
            }
        }
        imports.forEach(type -> source.append("import ").append(type).append(";\n"));
        if (types.contains("MemorySegment")) {
            source.append(imports.isEmpty() ? "" : "\n")
                    .append("import java.lang.foreign.MemorySegment;\n");
        }
        source.append(source.isEmpty() ? "" : "\n")
                .append("/** {@code ")
                .append(root.spelling())
                .append("}: ")
                .append(root.bytes())
                .append(" bytes. */\n")
                .append(body);
        source.setLength(source.length() - "}\n".length());
        for (String type : writer.nested) {
            source.append('\n').append(indented(type));
        }
        return new Declaration(
                name, source.append("}\n").toString(), List.copyOf(writer.placed), root.bytes());
    }

    private static String indented(String lines) {
        return lines.lines()
                .map(line -> line.isEmpty() ? "\n" : INDENT + line + "\n")
                .collect(Collectors.joining());
    }

    // ---- types ----------------------------------------------------------------------------------

    private String body(CType.Compound struct, String name, boolean outermost) throws Unsupported {
        Placement placement = new Placement(struct, outermost);
        StringBuilder text = new StringBuilder();
        for (String annotation : placement.annotations()) {
            text.append(annotation).append('\n');
        }
        text.append("interface ").append(name).append(" {\n");
        List<CType.Member> members = struct.members();
        for (int i = 0; i < members.size(); i++) {
            CType.Member member = members.get(i);
            boolean flexible = outermost && isFlexibleEnd(struct, i);
            if (!hasBytes(member) && !flexible) {
                text.append(i == 0 ? "" : "\n")
                        .append(INDENT)
                        .append("// ")
                        .append(member.type().spelling())
                        .append(' ')
                        .append(member.name())
                        .append(" has no bytes\n");
                continue;
            }
            text.append(i == 0 ? "" : "\n")
                    .append(accessors(member, nameOf(struct, i), placement.of(i), flexible));
        }
        return text.append("}\n").toString();
    }

    private String typeOf(CType.Compound struct, String memberName) throws Unsupported {
        String known = names.get(struct);
        if (known != null && !struct.name().isEmpty()) {
            return known;
        }
        String name = newName(struct.name().isEmpty() ? memberName : struct.name());
        names.put(struct, name);
        int at = nested.size();
        nested.add("");
        nested.set(at, body(struct, name, false));
        return name;
    }

    private String newName(String c) {
        String camel =
                Arrays.stream(c.split("_"))
                        .filter(part -> !part.isEmpty())
                        .map(
                                part ->
                                        part.substring(0, 1).toUpperCase(Locale.ROOT)
                                                + part.substring(1))
                        .collect(Collectors.joining());
        String base = camel.isEmpty() || Character.isDigit(camel.charAt(0)) ? "T" + camel : camel;
        String name = base;
        for (int i = 2; !taken.add(name); i++) {
            name = base + i;
        }
        return name;
    }

    // ---- members --------------------------------------------------------------------------------

    private String accessors(
            CType.Member member, String name, List<String> annotations, boolean flexible)
            throws Unsupported {
        List<String> all = new ArrayList<>(annotations);
        List<Long> lengths = new ArrayList<>();
        CType element = member.type();
        while (element instanceof CType.Array array) {
            lengths.add(array.length());
            element = array.element();
        }
        int indexes = lengths.size();
        if (flexible) {
            lengths.removeFirst();
            all.add("@Flexible");
        }
        boolean isBytes =
                element instanceof CType.Int number && number.bytes() == 1 && !number.truth();
        boolean inlineBytes = isBytes && !lengths.isEmpty();
        String type = inlineBytes ? bytesType(element) : valueType(member, name, element);
        indexes -= inlineBytes ? 1 : 0;
        if (!lengths.isEmpty()) {
            all.add(lengthsOf(lengths));
        }
        if (member.isBitField()) {
            boolean signed = element instanceof CType.Int number && number.signed();
            all.add(
                    signed && !type.equals("boolean")
                            ? "@Bits(value = " + member.bits() + ", signed = true)"
                            : "@Bits(" + member.bits() + ")");
        }
        StringBuilder text = new StringBuilder();
        for (String annotation : all) {
            text.append(INDENT).append(annotation).append('\n');
        }
        String parameters = indexes(indexes, flexible ? "long" : "int");
        text.append(INDENT)
                .append(type)
                .append(' ')
                .append(name)
                .append('(')
                .append(parameters)
                .append("); // ")
                .append(comment(member, element))
                .append('\n');
        if (!(element instanceof CType.Compound) && !type.equals("MemorySegment")
                || element instanceof CType.Address) {
            text.append('\n')
                    .append(INDENT)
                    .append("void ")
                    .append(name)
                    .append('(')
                    .append(parameters)
                    .append(parameters.isEmpty() ? "" : ", ")
                    .append(type)
                    .append(" value);\n");
        }
        return text.toString();
    }

    private static String comment(CType.Member member, CType element) {
        String offset =
                member.isBitField()
                        ? String.format(Locale.ROOT, "bit %d", member.bitOffset())
                        : String.format(Locale.ROOT, "offset %d", member.byteOffset());
        return (element.spelling() + ", " + offset).strip();
    }

    private static String bytesType(CType element) {
        return ((CType.Int) element).character() ? "String" : "MemorySegment";
    }

    private String valueType(CType.Member member, String name, CType element) throws Unsupported {
        return switch (element) {
            case CType.Int number when number.truth() && number.bytes() == 1 -> "boolean";
            case CType.Int number ->
                    switch ((int) number.bytes()) {
                        case 1 -> "byte";
                        case 2 -> "short";
                        case 4 -> "int";
                        case 8 -> "long";
                        default -> throw unsupported(member, name, number);
                    };
            case CType.Real number ->
                    switch ((int) number.bytes()) {
                        case 4 -> "float";
                        case 8 -> "double";
                        default -> throw unsupported(member, name, number);
                    };
            case CType.Address _ -> "MemorySegment";
            case CType.Compound compound -> typeOf(compound, name);
            case CType.Array _, CType.Incomplete _ -> throw unsupported(member, name, element);
        };
    }

    private static Unsupported unsupported(CType.Member member, String name, CType type) {
        return new Unsupported(
                String.format(
                        Locale.ROOT,
                        "%s at bit %d: no Java type for %s of %d bytes",
                        name,
                        member.bitOffset(),
                        type.spelling(),
                        type.bytes()));
    }

    private static String lengthsOf(List<Long> lengths) {
        if (lengths.size() == 1) {
            return "@Length(" + lengths.getFirst() + ")";
        }
        StringJoiner text = new StringJoiner(", ", "@Length({", "})");
        lengths.forEach(length -> text.add(Long.toString(length)));
        return text.toString();
    }

    private static String indexes(int count, String type) {
        return count == 1
                ? type + " index"
                : IntStream.range(0, count)
                        .mapToObj(i -> (i == 0 ? type : "int") + " " + (char) ('i' + i))
                        .collect(Collectors.joining(", "));
    }

    /** The name of a member in Java: that in C, or one made up for an anonymous one. */
    private static String nameOf(CType.Compound struct, int index) {
        CType.Member member = struct.members().get(index);
        if (member.name().isEmpty()) {
            String kind =
                    member.type() instanceof CType.Compound compound && compound.union()
                            ? "union"
                            : "struct";
            return kind + (index + 1);
        }
        boolean refused = SourceVersion.isKeyword(member.name()) || METHODS.contains(member.name());
        return refused ? member.name() + "_" : member.name();
    }

    /** Whether a member is the flexible array of its struct. */
    private static boolean isFlexibleEnd(CType.Compound struct, int index) {
        return !struct.union()
                && index == struct.members().size() - 1
                && isFlexible(struct.members().get(index));
    }

    private static boolean isFlexible(CType.Member member) {
        return member.type() instanceof CType.Array array
                && array.length() == 0
                && array.element().bytes() > 0;
    }

    private static boolean hasBytes(CType.Member member) {
        return member.isBitField() || member.type().bytes() > 0;
    }

    // ---- where they are -------------------------------------------------------------------------

    private void collect(CType.Compound struct, String prefix, long base) throws Unsupported {
        for (int i = 0; i < struct.members().size(); i++) {
            CType.Member member = struct.members().get(i);
            if (!hasBytes(member)) {
                continue;
            }
            String path = prefix + nameOf(struct, i);
            pathChars += path.length();
            if (pathChars > MAX_PATH_CHARS) {
                throw new Unsupported(
                        String.format(
                                Locale.ROOT,
                                "more than %d members, with those of the structs inside it: declare"
                                        + " one of those",
                                placed.size()));
            }
            long at = base + member.bitOffset();
            placed.add(new Declaration.Placed(path, at, member.bits(), member.type().bytes()));
            CType element = member.type();
            String indexes = "";
            while (element instanceof CType.Array array) {
                indexes += "[0]";
                element = array.element();
            }
            if (element instanceof CType.Compound inner) {
                collect(inner, path + indexes + ".", at);
            }
        }
    }

    /** Places the members of one struct. */
    private final class Placement {

        private final CType.Compound struct;
        private final boolean packed;
        private final List<List<String>> members = new ArrayList<>();
        private long end;

        /** The alignment of the members that are declared: arrays without bytes have one too. */
        private long declaredAlignment = 1;

        Placement(CType.Compound struct, boolean outermost) throws Unsupported {
            this.struct = struct;
            this.packed = isPacked(struct);
            for (int i = 0; i < struct.members().size(); i++) {
                CType.Member member = struct.members().get(i);
                if (!hasBytes(member) && !(outermost && isFlexibleEnd(struct, i))) {
                    members.add(List.of());
                    continue;
                }
                members.add(member.isBitField() ? placeBits(member) : place(member));
                declaredAlignment = Math.max(declaredAlignment, alignmentOf(member.type()));
            }
        }

        List<String> of(int index) {
            return members.get(index);
        }

        List<String> annotations() throws Unsupported {
            List<String> all = new ArrayList<>();
            if (struct.union()) {
                all.add("@Union");
            }
            long alignment = packed ? 1 : alignmentOf(struct);
            long natural = up(up(end, Byte.SIZE) / Byte.SIZE, alignment);
            if (natural > struct.bytes()) {
                throw new Unsupported(
                        String.format(
                                Locale.ROOT,
                                "%s: members take %d bytes, the struct has %d",
                                struct.spelling(),
                                natural,
                                struct.bytes()));
            }
            List<String> values = new ArrayList<>();
            if (packed) {
                values.add("packed = true");
            }
            if (!packed && declaredAlignment < alignment) {
                values.add("align = " + alignment);
            }
            if (natural < struct.bytes()) {
                values.add("size = " + struct.bytes());
            }
            if (!values.isEmpty()) {
                all.add("@Struct(" + String.join(", ", values) + ")");
            }
            return all;
        }

        private List<String> place(CType.Member member) throws Unsupported {
            long bytes = packed ? 1 : alignmentOf(member.type());
            long expected = struct.union() ? 0 : up(end, bytes * Byte.SIZE);
            long at = member.bitOffset();
            if (at < expected || at % Byte.SIZE != 0 || struct.union() && at != 0) {
                throw misplaced(member, expected);
            }
            end = Math.max(end, at + member.type().bytes() * Byte.SIZE);
            return at == expected ? List.of() : List.of("@Offset(" + at / Byte.SIZE + ")");
        }

        /** The rules of System V: a bit-field does not cross a unit of its type. */
        private List<String> placeBits(CType.Member member) throws Unsupported {
            long unit = member.type().bytes() * Byte.SIZE;
            long expected = struct.union() ? 0 : firstFit(end, member.bits(), unit);
            long at = member.bitOffset();
            List<String> annotations = List.of();
            if (at != expected) {
                annotations = gapBefore(member, unit);
            }
            end = Math.max(end, at + member.bits());
            return annotations;
        }

        private long firstFit(long from, int bits, long unit) {
            boolean crosses = from / unit != (from + bits - 1) / unit;
            return !packed && crosses ? up(from, unit) : from;
        }

        /** An unnamed bit-field of the same type that moves a bit-field to its place. */
        private List<String> gapBefore(CType.Member member, long unit) throws Unsupported {
            long at = member.bitOffset();
            long gap = at - end;
            if (!struct.union() && gap > 0) {
                String type = "type = " + unitType(unit) + ".class";
                boolean fits = gap <= unit && firstFit(end, (int) gap, unit) == end;
                if (fits && firstFit(at, member.bits(), unit) == at) {
                    return List.of("@UnnamedBits(value = " + gap + ", " + type + ")");
                }
                if (up(end, unit) == at) {
                    return List.of("@UnnamedBits(value = 0, " + type + ")");
                }
            }
            throw misplaced(member, end);
        }

        private static String unitType(long bits) throws Unsupported {
            return switch ((int) bits) {
                case 8 -> "byte";
                case 16 -> "short";
                case 32 -> "int";
                case 64 -> "long";
                default -> throw new Unsupported("a bit-field of a type of " + bits + " bits");
            };
        }

        private Unsupported misplaced(CType.Member member, long expected) {
            return new Unsupported(
                    String.format(
                            Locale.ROOT,
                            "%s.%s is at bit %d; the rules of C place it at bit %d or later",
                            struct.spelling(),
                            member.name(),
                            member.bitOffset(),
                            expected));
        }

        private boolean isPacked(CType.Compound struct) {
            Boolean known = packedOnes.get(struct);
            if (known == null) {
                known = contradictsAlignments(struct);
                packedOnes.put(struct, known);
            }
            return known;
        }

        private boolean contradictsAlignments(CType.Compound struct) {
            long alignment = 1;
            for (CType.Member member : struct.members()) {
                if (!hasBytes(member) && !isFlexible(member)) {
                    continue;
                }
                long own = alignmentOf(member.type());
                alignment = Math.max(alignment, own);
                long unit = member.type().bytes() * Byte.SIZE;
                long at = member.bitOffset();
                boolean natural =
                        member.isBitField()
                                ? at / unit == (at + member.bits() - 1) / unit
                                : at % (own * Byte.SIZE) == 0;
                if (!natural) {
                    return true;
                }
            }
            return struct.bytes() % alignment != 0;
        }

        private long alignmentOf(CType type) {
            return switch (type) {
                case CType.Array array -> alignmentOf(array.element());
                case CType.Compound compound -> alignmentOf(compound);
                default -> Math.max(1, type.bytes());
            };
        }

        private long alignmentOf(CType.Compound struct) {
            Long known = alignments.get(struct);
            if (known == null) {
                known = isPacked(struct) ? 1L : alignmentOfMembers(struct);
                alignments.put(struct, known);
            }
            return known;
        }

        private long alignmentOfMembers(CType.Compound struct) {
            return struct.members().stream()
                    .filter(m -> hasBytes(m) || isFlexible(m))
                    .mapToLong(m -> alignmentOf(m.type()))
                    .max()
                    .orElse(1);
        }

        private static long up(long value, long alignment) {
            return (value + alignment - 1) / alignment * alignment;
        }
    }
}
