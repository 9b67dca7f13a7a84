package dev.kernelalloc.struct;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * A random struct that can write itself down in C, as a Java interface and, unless a union is in
 * it, as a Java record.
 *
 * @param name unique in its batch
 * @param alignment in bytes, 0 for none
 */
record RandomStruct(
        String name,
        boolean union,
        boolean packed,
        long alignment,
        boolean bigEndian,
        List<Field> fields) {

    /** Which compiler is imitated. */
    enum Flavour {
        SYSTEM_V(Abi.HOST),
        BIG_ENDIAN(Abi.HOST),
        MICROSOFT(Abi.WINDOWS);

        final Abi abi;

        Flavour(Abi abi) {
            this.abi = abi;
        }
    }

    enum Scalar {
        BOOL("_Bool", "boolean", 1, false),
        BYTE("signed char", "byte", 8, true),
        SHORT("short", "short", 16, true),
        CHAR("unsigned short", "char", 16, false),
        INT("int", "int", 32, true),
        LONG("long long", "long", 64, true),
        FLOAT("float", "float", 0, true),
        DOUBLE("double", "double", 0, true),
        POINTER("pointer", "MemorySegment", 47, false),
        COLOR("enum color", "Color", 0, true),
        BOOL8("unsigned char", "@C(CType.UNSIGNED_CHAR) boolean", 1, false),
        BOOL32("unsigned", "@C(CType.UNSIGNED_INT) boolean", 1, false),
        C_UCHAR("unsigned char", "@C(CType.UNSIGNED_CHAR) int", 8, false),
        C_USHORT("unsigned short", "@C(CType.UNSIGNED_SHORT) int", 16, false),
        C_UINT("unsigned", "@C(CType.UNSIGNED_INT) long", 32, false),
        C_LONG("c_long", "@C(CType.LONG) long", 31, false),
        C_ULONG("c_ulong", "@C(CType.UNSIGNED_LONG) long", 32, false),
        C_SIZE("size_t", "@C(CType.SIZE_T) long", 63, false),
        C_WCHAR("c_wchar", "@C(CType.WCHAR_T) int", 15, false);

        final String c;
        final String java;
        final int bits;
        final boolean signed;

        Scalar(String c, String java, int bits, boolean signed) {
            this.c = c;
            this.java = java;
            this.bits = bits;
            this.signed = signed;
        }
    }

    /** The types that bit-fields are declared with. */
    private static final List<Scalar> BIT_TYPES =
            List.of(Scalar.BYTE, Scalar.SHORT, Scalar.CHAR, Scalar.INT, Scalar.LONG);

    private static final List<String> COLORS = List.of("RED", "GREEN", "BLUE");

    sealed interface Kind {
        record One(Scalar scalar) implements Kind {}

        record BitRun(Scalar type, int bits, boolean signed) implements Kind {}

        record Chars(int length) implements Kind {}

        record Raw(int length) implements Kind {}

        record Inner(RandomStruct struct) implements Kind {}
    }

    /**
     * @param gap the width of an unnamed bit-field in front, -1 for none
     */
    record Field(
            String name,
            Kind kind,
            List<Integer> lengths,
            boolean flexible,
            long alignment,
            int gap,
            Scalar gapType) {}

    /**
     * One scalar of a struct and the value it is given.
     *
     * @param path the fields from the outermost inwards
     * @param indexes the indexes of each of them
     */
    record Leaf(List<Field> path, List<List<Integer>> indexes, long seed) {

        Field last() {
            return path.getLast();
        }
    }

    // ---- chance ---------------------------------------------------------------------------------

    static RandomStruct random(Random random, String name, Flavour flavour) {
        return random(random, name, flavour, 0);
    }

    /** One that often fits in registers, with bit-fields more often than not. */
    static RandomStruct small(Random random, String name) {
        List<Field> fields = new ArrayList<>();
        int count = 1 + random.nextInt(4);
        for (int i = 0; i < count; i++) {
            Kind kind =
                    kind(random, name + "_" + i, Flavour.SYSTEM_V, 1, random.nextBoolean(), false);
            List<Integer> lengths =
                    !(kind instanceof Kind.BitRun) && random.nextInt(5) == 0
                            ? List.of(1 + random.nextInt(3))
                            : List.of();
            fields.add(new Field("f" + i, kind, lengths, false, 0, -1, Scalar.INT));
        }
        boolean union = random.nextInt(8) == 0;
        return new RandomStruct(name, union, false, 0, false, List.copyOf(fields));
    }

    private static RandomStruct random(Random random, String name, Flavour flavour, int depth) {
        boolean union = random.nextInt(6) == 0;
        // Under #pragma pack GCC gives a bit-field of a union less than the unit that Microsoft
        // gives it.
        boolean packed = random.nextInt(5) == 0 && !(union && flavour == Flavour.MICROSOFT);
        boolean bigEndian = flavour == Flavour.BIG_ENDIAN && random.nextInt(4) > 0;
        long alignment = random.nextInt(6) == 0 ? 1L << random.nextInt(7) : 0;
        boolean manyBits = random.nextInt(3) == 0;
        int count = 1 + random.nextInt(depth == 0 ? 8 : 4);
        List<Field> fields = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Kind kind = kind(random, name + "_" + i, flavour, depth, manyBits, bigEndian);
            boolean isBits = kind instanceof Kind.BitRun;
            List<Integer> lengths = new ArrayList<>();
            while (!isBits && lengths.size() < 3 && random.nextInt(4) == 0) {
                lengths.add(1 + random.nextInt(3));
            }
            boolean flexible =
                    depth == 0
                            && !union
                            && i > 0
                            && i == count - 1
                            && !isBits
                            && random.nextInt(8) == 0
                            && (kind instanceof Kind.One || kind instanceof Kind.Inner);
            long fieldAlignment = random.nextInt(10) == 0 ? 1L << random.nextInt(6) : 0;
            if (flavour == Flavour.MICROSOFT && (isBits || packed)) {
                // Microsoft has no aligned bit-fields; and under #pragma pack GCC forgets an
                // explicit
                // alignment, which Microsoft keeps.
                fieldAlignment = 0;
            }
            int gap = -1;
            Scalar gapType = BIT_TYPES.get(random.nextInt(BIT_TYPES.size()));
            if (manyBits && !union && random.nextInt(5) == 0) {
                gap = random.nextBoolean() ? 0 : random.nextInt(gapType.bits + 1);
            }
            fields.add(
                    new Field(
                            "f" + i,
                            kind,
                            List.copyOf(lengths),
                            flexible,
                            fieldAlignment,
                            gap,
                            gapType));
        }
        return new RandomStruct(name, union, packed, alignment, bigEndian, List.copyOf(fields));
    }

    private static Kind kind(
            Random random,
            String name,
            Flavour flavour,
            int depth,
            boolean manyBits,
            boolean bigEndian) {
        int dice = random.nextInt(20);
        if (manyBits ? dice < 13 : dice < 1) {
            Scalar type = BIT_TYPES.get(random.nextInt(BIT_TYPES.size()));
            if (random.nextInt(8) == 0) {
                return new Kind.BitRun(Scalar.BOOL, 1, false);
            }
            boolean signed = type != Scalar.CHAR && random.nextBoolean();
            return new Kind.BitRun(type, 1 + random.nextInt(type.bits), signed);
        }
        if (dice == 14) {
            return new Kind.Chars(2 + random.nextInt(15));
        }
        if (dice == 15) {
            return new Kind.Raw(1 + random.nextInt(20));
        }
        if (dice >= 16 && depth < 2) {
            return new Kind.Inner(random(random, name, flavour, depth + 1));
        }
        Scalar[] all = Scalar.values();
        Scalar scalar = all[random.nextInt(all.length)];
        // GCC keeps pointers in the order of the machine, whatever the order of the struct.
        return new Kind.One(bigEndian && scalar == Scalar.POINTER ? Scalar.LONG : scalar);
    }

    // ---- C --------------------------------------------------------------------------------------

    boolean hasUnion() {
        return union
                || fields.stream()
                        .anyMatch(f -> f.kind() instanceof Kind.Inner i && i.struct().hasUnion());
    }

    boolean hasFlexible() {
        return fields.getLast().flexible();
    }

    private String keyword() {
        return union ? "union" : "struct";
    }

    static String cPrelude(Flavour flavour) {
        boolean windows = flavour == Flavour.MICROSOFT;
        return """
        #include <stdio.h>
        #include <stddef.h>
        #include <string.h>
        typedef void *pointer;
        typedef %s c_long;
        typedef unsigned %s c_ulong;
        typedef %s c_wchar;
        enum color { RED = 1, GREEN = -5, BLUE = 70000 };
        static void dump(const void *p, size_t n) {
            for (size_t i = 0; i < n; i++) printf("%%02x", ((const unsigned char *) p)[i]);
            puts("");
        }
        """
                .formatted(
                        windows ? "int" : "long",
                        windows ? "int" : "long",
                        windows ? "unsigned short" : "__WCHAR_TYPE__");
    }

    String cDeclaration(Flavour flavour) {
        StringBuilder text = new StringBuilder();
        for (Field field : fields) {
            if (field.kind() instanceof Kind.Inner inner) {
                text.append(inner.struct().cDeclaration(flavour));
            }
        }
        if (packed && flavour == Flavour.MICROSOFT) {
            text.append("#pragma pack(push, 1)\n");
        }
        text.append(keyword()).append(' ').append(name).append(" {\n");
        for (Field field : fields) {
            if (field.gap() >= 0) {
                text.append("  %s : %d;%n".formatted(field.gapType().c, field.gap()));
            }
            String lengths =
                    field.lengths().stream().map("[%d]"::formatted).collect(Collectors.joining());
            lengths = (field.flexible() ? "[]" : "") + lengths;
            String declaration =
                    switch (field.kind()) {
                        case Kind.One one -> one.scalar().c + " " + field.name() + lengths;
                        case Kind.BitRun run ->
                                (run.type() == Scalar.BOOL || run.type() == Scalar.CHAR
                                                ? run.type().c
                                                : (run.signed() ? "signed " : "unsigned ")
                                                        + run.type().c.replace("signed ", ""))
                                        + " "
                                        + field.name()
                                        + " : "
                                        + run.bits();
                        case Kind.Chars chars ->
                                "char " + field.name() + lengths + "[" + chars.length() + "]";
                        case Kind.Raw raw ->
                                "unsigned char "
                                        + field.name()
                                        + lengths
                                        + "["
                                        + raw.length()
                                        + "]";
                        case Kind.Inner inner ->
                                inner.struct().keyword()
                                        + " "
                                        + inner.struct().name()
                                        + " "
                                        + field.name()
                                        + lengths;
                    };
            text.append("  ").append(declaration);
            if (field.alignment() > 0) {
                text.append(" __attribute__((aligned(%d)))".formatted(field.alignment()));
            }
            text.append(";\n");
        }
        text.append("}");
        List<String> attributes = new ArrayList<>();
        boolean pragma = packed && flavour == Flavour.MICROSOFT;
        if (packed && !pragma) {
            attributes.add("packed");
        }
        if (alignment > 0) {
            attributes.add("aligned(" + alignment + ")");
        }
        if (bigEndian) {
            attributes.add("scalar_storage_order(\"big-endian\")");
        }
        if (flavour == Flavour.MICROSOFT) {
            attributes.add("ms_struct");
        }
        if (!attributes.isEmpty()) {
            text.append(" __attribute__((").append(String.join(", ", attributes)).append("))");
        }
        return text.append(pragma ? ";\n#pragma pack(pop)\n" : ";\n").toString();
    }

    /**
     * A function that prints size, alignment, the offsets of the fields, and the bytes of all
     * leaves.
     */
    String cReport() {
        StringBuilder text =
                new StringBuilder("static void report_").append(name).append("(void) {\n");
        String type = keyword() + " " + name;
        text.append("  printf(\"%zu %zu\", sizeof(")
                .append(type)
                .append("), _Alignof(")
                .append(type)
                .append("));\n");
        for (Field field : fields) {
            if (!(field.kind() instanceof Kind.BitRun)) {
                text.append(
                        "  printf(\" %zu\", offsetof(%s, %s));%n"
                                .replace("%n", "\n")
                                .replace("%s, %s", type + ", " + field.name()));
            }
        }
        text.append("  puts(\"\");\n  ").append(type).append(" s; memset(&s, 0xA5, sizeof s);\n");
        for (Leaf leaf : leaves()) {
            text.append("  ").append(cAssignment(leaf)).append('\n');
        }
        return text.append("  dump(&s, sizeof s);\n}\n").toString();
    }

    private static String cAssignment(Leaf leaf) {
        StringBuilder place = new StringBuilder("s");
        for (int i = 0; i < leaf.path().size(); i++) {
            place.append('.').append(leaf.path().get(i).name());
            leaf.indexes().get(i).forEach(index -> place.append('[').append(index).append(']'));
        }
        return switch (leaf.last().kind()) {
            case Kind.One one when one.scalar() == Scalar.COLOR ->
                    place + " = " + color(leaf) + ";";
            case Kind.One one when one.scalar() == Scalar.FLOAT || one.scalar() == Scalar.DOUBLE ->
                    place + " = " + real(leaf) + ";";
            case Kind.One one ->
                    place
                            + " = ("
                            + one.scalar().c
                            + ") "
                            + integer(leaf, one.scalar().bits, one.scalar().signed)
                            + "LL;";
            case Kind.BitRun run ->
                    place
                            + " = 0x"
                            + Long.toHexString(leaf.seed())
                            + "ULL >> "
                            + (64 - run.bits())
                            + ";";
            case Kind.Chars chars ->
                    "strncpy("
                            + place
                            + ", \""
                            + text(leaf, chars)
                            + "\", "
                            + chars.length()
                            + ");";
            case Kind.Raw raw ->
                    "memset(" + place + ", " + (leaf.seed() & 0xFF) + ", " + raw.length() + ");";
            case Kind.Inner _ -> throw new AssertionError();
        };
    }

    // ---- values ---------------------------------------------------------------------------------

    /**
     * Every scalar that is given a value: of a union those of one member, of a flexible array none.
     */
    List<Leaf> leaves() {
        List<Leaf> leaves = new ArrayList<>();
        collect(List.of(), List.of(), leaves, new Random(name.hashCode()));
        return leaves;
    }

    private void collect(
            List<Field> path, List<List<Integer>> indexes, List<Leaf> into, Random random) {
        List<Field> chosen =
                union ? List.of(fields.get(Math.floorMod(name.hashCode(), fields.size()))) : fields;
        for (Field field : chosen) {
            if (field.flexible()) {
                continue;
            }
            List<Field> longer = append(path, field);
            int elements = field.lengths().stream().reduce(1, (a, b) -> a * b);
            for (int element = 0; element < elements; element++) {
                List<List<Integer>> index = append(indexes, indexes(field.lengths(), element));
                if (field.kind() instanceof Kind.Inner inner) {
                    inner.struct().collect(longer, index, into, random);
                } else {
                    into.add(new Leaf(longer, index, random.nextLong()));
                }
            }
        }
    }

    private static List<Integer> indexes(List<Integer> lengths, int element) {
        List<Integer> indexes = new ArrayList<>();
        int rest = element;
        for (int i = lengths.size() - 1; i >= 0; i--) {
            indexes.addFirst(rest % lengths.get(i));
            rest /= lengths.get(i);
        }
        return indexes;
    }

    private static <E> List<E> append(List<E> list, E element) {
        List<E> longer = new ArrayList<>(list);
        longer.add(element);
        return List.copyOf(longer);
    }

    static String color(Leaf leaf) {
        return COLORS.get(Math.floorMod(leaf.seed(), COLORS.size()));
    }

    static double real(Leaf leaf) {
        return (leaf.seed() >> 44) / 8.0;
    }

    static String text(Leaf leaf, Kind.Chars chars) {
        int length = Math.floorMod(leaf.seed(), chars.length());
        return LongStream.range(0, length)
                .mapToObj(
                        i -> String.valueOf((char) ('a' + Math.floorMod(leaf.seed() + i * 7, 26))))
                .collect(Collectors.joining());
    }

    static long integer(Leaf leaf, int bits, boolean signed) {
        return signed ? leaf.seed() >> 64 - bits : leaf.seed() >>> 64 - bits;
    }

    // ---- Java -----------------------------------------------------------------------------------

    String javaInterface() {
        StringBuilder text = new StringBuilder(javaInner(false));
        text.append(annotations()).append("  public interface ").append(name).append(" {\n");
        for (Field field : fields) {
            String type = javaType(field, "");
            int dimensions = field.lengths().size() + (field.flexible() ? 1 : 0);
            String indexes =
                    IntStream.range(0, dimensions)
                            .mapToObj(i -> "int i" + i)
                            .collect(Collectors.joining(", "));
            text.append("    ")
                    .append(annotations(field))
                    .append(type)
                    .append(' ')
                    .append(field.name());
            text.append('(').append(indexes).append(");\n");
            if (!(field.kind() instanceof Kind.Raw)) {
                String plain = type.substring(type.lastIndexOf(' ') + 1);
                text.append("    void ").append(field.name()).append('(').append(indexes);
                text.append(dimensions > 0 ? ", " : "").append(plain).append(" value);\n");
            }
        }
        return text.append("  }\n").toString();
    }

    /** The same members as JavaBeans name them. The C type of one accessor holds for both. */
    String javaBean() {
        StringBuilder text = new StringBuilder(annotations());
        text.append("  public interface B").append(name).append(" {\n");
        for (Field field : fields) {
            String type = javaType(field, "");
            String plain = type.substring(type.lastIndexOf(' ') + 1);
            String bean = "F" + field.name().substring(1);
            String indexes = indexes(field);
            boolean truth = plain.equals("boolean") && field.name().hashCode() % 2 == 0;
            String getter =
                    "    %s%s %s(%s);%n"
                            .formatted(
                                    annotations(field),
                                    type,
                                    (truth ? "is" : "get") + bean,
                                    indexes);
            String setter =
                    field.kind() instanceof Kind.Raw
                            ? ""
                            : "    void set%s(%s%s%s value);%n"
                                    .formatted(bean, indexes, indexes.isEmpty() ? "" : ", ", plain);
            text.append(field.name().hashCode() % 3 == 0 ? setter + getter : getter + setter);
        }
        return text.append("  }\n").toString();
    }

    /**
     * The same members as a hierarchy: two branches that share their first members, each with
     * accessors of members above it written again, without annotations.
     */
    String javaHierarchy(Random random) {
        int root = random.nextInt(fields.size() + 1);
        int left = root + random.nextInt(fields.size() - root + 1);
        int right = left + random.nextInt(fields.size() - left + 1);
        return level("H0", "", fields.subList(0, root), List.of(), random)
                + level("H1", "H0", fields.subList(root, left), fields.subList(0, root), random)
                + level("H2", "H0", fields.subList(left, right), fields.subList(0, root), random)
                + level(
                        "H",
                        "H1, H2",
                        fields.subList(right, fields.size()),
                        fields.subList(0, right),
                        random);
    }

    private String level(
            String prefix, String parents, List<Field> own, List<Field> above, Random random) {
        StringBuilder text = new StringBuilder(annotations());
        text.append("  public interface ").append(prefix).append(name);
        if (!parents.isEmpty()) {
            text.append(" extends ")
                    .append(
                            Stream.of(parents.split(", "))
                                    .map(parent -> parent + name)
                                    .collect(Collectors.joining(", ")));
        }
        text.append(" {\n");
        List<String> accessors = new ArrayList<>();
        for (Field field : own) {
            accessors.addAll(accessors(field, true));
        }
        for (Field field : above) {
            for (String accessor : accessors(field, false)) {
                if (random.nextInt(3) == 0) {
                    accessors.add(
                            random.nextInt(accessors.size() + 1), "    @Override " + accessor);
                }
            }
        }
        accessors.forEach(text::append);
        return text.append("  }\n").toString();
    }

    private List<String> accessors(Field field, boolean annotated) {
        String type = javaType(field, "");
        String plain = type.substring(type.lastIndexOf(' ') + 1);
        String indexes = indexes(field);
        List<String> accessors = new ArrayList<>();
        accessors.add(
                "    %s %s(%s);%n"
                        .formatted(
                                annotated ? annotations(field) + type : plain,
                                field.name(),
                                indexes));
        if (!(field.kind() instanceof Kind.Raw)) {
            accessors.add(
                    "    void %s(%s%s%s value);%n"
                            .formatted(
                                    field.name(), indexes, indexes.isEmpty() ? "" : ", ", plain));
        }
        return accessors;
    }

    private static String indexes(Field field) {
        return IntStream.range(0, field.lengths().size() + (field.flexible() ? 1 : 0))
                .mapToObj(i -> "int i" + i)
                .collect(Collectors.joining(", "));
    }

    /** By-value functions: {@code in} writes its argument to memory, {@code out} returns it. */
    String cByValue() {
        return """
        int in_%1$s(int a, %2$s s, double b, int c, void *to) {
            memcpy(to, &s, sizeof s);
            return a + 10 * (int) b + 100 * c;
        }
        %2$s out_%1$s(int a, const void *from, double b) {
            %2$s s;
            memcpy(&s, from, sizeof s);
            return s;
        }
        int call_%1$s(int (*f)(int, %2$s, double, int), const void *from) {
            %2$s s;
            memcpy(&s, from, sizeof s);
            return f(1, s, 2.0, 3);
        }
        """
                .formatted(name, keyword() + " " + name);
    }

    String javaRecord() {
        StringBuilder text = new StringBuilder(javaInner(true));
        text.append(annotations()).append("  public record R").append(name).append('(');
        text.append(
                fields.stream()
                        .map(
                                f ->
                                        annotations(f)
                                                + javaType(f, "R")
                                                + "[]".repeat(f.lengths().size())
                                                + " "
                                                + f.name())
                        .collect(Collectors.joining(", ")));
        return text.append(") {}\n").toString();
    }

    private String javaInner(boolean record) {
        return fields.stream()
                .filter(f -> f.kind() instanceof Kind.Inner)
                .map(f -> ((Kind.Inner) f.kind()).struct())
                .map(s -> record ? s.javaRecord() : s.javaInterface())
                .collect(Collectors.joining());
    }

    private String annotations() {
        return (union ? "  @Union" : "")
                + "  @Struct(align = %d, packed = %b, order = Endian.%s)%n"
                        .formatted(alignment, packed, bigEndian ? "BIG" : "NATIVE");
    }

    private static String annotations(Field field) {
        StringBuilder text = new StringBuilder();
        if (field.gap() >= 0) {
            text.append(
                    "@UnnamedBits(value = %d, type = %s.class) "
                            .formatted(field.gap(), field.gapType().java));
        }
        if (field.alignment() > 0) {
            text.append("@Align(%d) ".formatted(field.alignment()));
        }
        if (field.flexible()) {
            text.append("@Flexible ");
        }
        List<Integer> lengths = new ArrayList<>(field.lengths());
        switch (field.kind()) {
            case Kind.BitRun run ->
                    text.append(
                            "@Bits(value = %d, signed = %b) ".formatted(run.bits(), run.signed()));
            case Kind.Chars chars -> lengths.add(chars.length());
            case Kind.Raw raw -> lengths.add(raw.length());
            default -> {}
        }
        if (!lengths.isEmpty()) {
            text.append(
                    lengths.stream()
                            .map(String::valueOf)
                            .collect(Collectors.joining(", ", "@Length({", "}) ")));
        }
        return text.toString();
    }

    private static String javaType(Field field, String innerPrefix) {
        return switch (field.kind()) {
            case Kind.One one -> one.scalar().java;
            case Kind.BitRun run -> run.type().java;
            case Kind.Chars _ -> "String";
            case Kind.Raw _ -> "MemorySegment";
            case Kind.Inner inner -> innerPrefix + inner.struct().name();
        };
    }
}
