package dev.kernelalloc.cli.ctypes;

import dev.kernelalloc.cli.ctypes.DwarfUnit.Abbreviation;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The types of an ELF file with DWARF 4 or 5, such as {@code cc -g} writes: an object file, a
 * library, a program, or a separate file of debug information.
 *
 * <p>One pass finds the named structs of all units. An entry is read when a struct needs it, and
 * each type once. A name that units define differently is refused, as no definition is the truth.
 */
public final class Dwarf implements DebugTypes {

    private static final int TAG_ARRAY = 0x01;
    private static final int TAG_CLASS = 0x02;
    private static final int TAG_ENUMERATION = 0x04;
    private static final int TAG_MEMBER = 0x0D;
    private static final int TAG_POINTER = 0x0F;
    private static final int TAG_REFERENCE = 0x10;
    private static final int TAG_STRUCTURE = 0x13;
    private static final int TAG_SUBROUTINE = 0x15;
    private static final int TAG_TYPEDEF = 0x16;
    private static final int TAG_UNION = 0x17;
    private static final int TAG_INHERITANCE = 0x1C;
    private static final int TAG_SUBRANGE = 0x21;
    private static final int TAG_BASE = 0x24;
    private static final int TAG_CONST = 0x26;
    private static final int TAG_ENUMERATOR = 0x28;
    private static final int TAG_VARIANT_PART = 0x33;
    private static final int TAG_VOLATILE = 0x35;
    private static final int TAG_RESTRICT = 0x37;
    private static final int TAG_RVALUE_REFERENCE = 0x42;
    private static final int TAG_ATOMIC = 0x47;

    private static final int SIBLING = 0x01;
    private static final int NAME = 0x03;
    private static final int BYTE_SIZE = 0x0B;
    private static final int BIT_OFFSET = 0x0C;
    private static final int BIT_SIZE = 0x0D;
    private static final int CONST_VALUE = 0x1C;
    private static final int BIT_STRIDE = 0x2E;
    private static final int UPPER_BOUND = 0x2F;
    private static final int COUNT = 0x37;
    private static final int MEMBER_LOCATION = 0x38;
    private static final int DECLARATION = 0x3C;
    private static final int ENCODING = 0x3E;
    private static final int EXTERNAL = 0x3F;
    private static final int TYPE = 0x49;
    private static final int BYTE_STRIDE = 0x51;
    private static final int SIGNATURE = 0x69;
    private static final int DATA_BIT_OFFSET = 0x6B;
    private static final int STR_OFFSETS_BASE = 0x72;
    private static final int DWO_NAME = 0x76;
    private static final int GNU_DWO_NAME = 0x2130;

    private static final int ENCODED_BOOLEAN = 0x02;
    private static final int ENCODED_COMPLEX_FLOAT = 0x03;
    private static final int ENCODED_FLOAT = 0x04;
    private static final int ENCODED_SIGNED = 0x05;
    private static final int ENCODED_SIGNED_CHAR = 0x06;
    private static final int ENCODED_UNSIGNED = 0x07;
    private static final int ENCODED_UNSIGNED_CHAR = 0x08;
    private static final int ENCODED_UTF = 0x10;

    /** Types inside each other, which no C program reaches; a damaged file may have a circle. */
    private static final int MAX_DEPTH = 200;

    /** The end of a message. */
    private static final String ELSEWHERE =
            "in a supplementary file, as dwz makes it: name a file that dwz has not changed";

    private final Path file;
    private final ByteBuffer info;
    private final @Nullable ByteBuffer texts;
    private final @Nullable ByteBuffer lineTexts;
    private final @Nullable ByteBuffer textOffsets;

    private final TreeMap<Integer, DwarfUnit> units = new TreeMap<>();
    private final Map<Long, Integer> signatures = new HashMap<>();

    /** The definitions of each name, one of each unit that has one. */
    private final Map<String, List<Integer>> compounds = new HashMap<>();

    private final Map<Integer, CType.Compound> read = new HashMap<>();
    private final Map<Integer, CType> types = new HashMap<>();

    /** One object for all structs that are equal: each unit has its own definitions. */
    private final Map<CType.Compound, CType.Compound> distinct = new HashMap<>();

    private @Nullable String splitFile;
    private boolean hasNamesElsewhere;
    private int depth;

    private Dwarf(Path file, Elf elf) throws IOException {
        this.file = file;
        this.info =
                elf.section(".debug_info")
                        .orElseThrow(
                                () ->
                                        new IOException(
                                                "the ELF file has no section .debug_info: compile"
                                                        + " it with cc -g, or name the file with"
                                                        + " its debug information"));
        this.texts = elf.section(".debug_str").orElse(null);
        this.lineTexts = elf.section(".debug_line_str").orElse(null);
        this.textOffsets = elf.section(".debug_str_offsets").orElse(null);
        ByteBuffer shapes =
                elf.section(".debug_abbrev")
                        .orElseThrow(() -> new IOException("no section .debug_abbrev"));
        Map<Long, Map<Long, Abbreviation>> known = new HashMap<>();
        for (int at = 0; at < info.capacity(); ) {
            DwarfUnit unit = DwarfUnit.read(info, at, shapes, known);
            units.put(at, unit);
            if (unit.type() > 0) {
                signatures.put(unit.signature(), unit.type());
            }
            index(unit);
            at = unit.end();
        }
    }

    /**
     * Finds the structs of a file.
     *
     * @throws IOException if it cannot be read, has no DWARF 4 or 5, or is damaged
     */
    public static Dwarf read(Path file) throws IOException {
        try {
            return new Dwarf(file, Elf.map(file));
        } catch (IOException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        } catch (IndexOutOfBoundsException
                | IllegalArgumentException
                | ArithmeticException
                | NegativeArraySizeException e) {
            throw damaged(file, e);
        }
    }

    private static IOException damaged(Path file, RuntimeException e) {
        return new IOException(file + " is damaged, or truncated: " + e.getMessage(), e);
    }

    @Override
    public List<String> names() {
        return compounds.keySet().stream().sorted().toList();
    }

    @Override
    public Optional<CType.Compound> find(String name) throws IOException {
        Map<CType.Compound, String> found = new LinkedHashMap<>();
        depth = 0;
        try {
            for (int at : compounds.getOrDefault(name, List.of())) {
                found.putIfAbsent(compound(entry(at)), unitName(at));
            }
        } catch (IOException e) {
            throw new IOException(file + ": " + name + ": " + e.getMessage(), e);
        } catch (IndexOutOfBoundsException | IllegalArgumentException | ArithmeticException e) {
            throw damaged(file, e);
        }
        if (found.size() > 1) {
            throw new IOException(
                    found.entrySet().stream()
                            .map(e -> e.getKey().bytes() + " bytes in " + e.getValue())
                            .collect(
                                    Collectors.joining(
                                            ", ",
                                            file + " defines " + name + " more than once: ",
                                            "; name an object file that defines it once")));
        }
        if (found.isEmpty() && splitFile != null) {
            throw new IOException(
                    file
                            + " has its types in files of their own, such as "
                            + splitFile
                            + ": compile without -gsplit-dwarf");
        }
        if (found.isEmpty() && hasNamesElsewhere) {
            throw new IOException(file + " has names of structs " + ELSEWHERE);
        }
        return found.keySet().stream().findFirst();
    }

    // ---- entries --------------------------------------------------------------------------------

    /**
     * An entry with its values, in the order of its abbreviation.
     *
     * @param next the position behind it: of its first child, if it has children
     */
    private record Entry(
            DwarfUnit unit, int at, @Nullable Abbreviation shape, long[] values, int next) {

        boolean isEnd() {
            return shape == null;
        }

        Abbreviation known() {
            if (shape == null) {
                throw new IllegalArgumentException("no entry at byte " + at);
            }
            return shape;
        }

        int tag() {
            return known().tag();
        }

        /** The index of an attribute; negative if the entry has none. */
        int indexOf(int attribute) {
            int[] all = known().attributes();
            int i = all.length - 1;
            while (i >= 0 && all[i] != attribute) {
                i--;
            }
            return i;
        }

        boolean has(int attribute) {
            return indexOf(attribute) >= 0;
        }

        OptionalLong constant(int attribute) {
            int i = indexOf(attribute);
            if (i < 0) {
                return OptionalLong.empty();
            }
            if (DwarfForm.meaning(known().forms()[i]) != DwarfForm.Meaning.CONSTANT) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "attribute 0x%x at byte %d is no constant",
                                attribute,
                                at));
            }
            return OptionalLong.of(values[i]);
        }
    }

    private Entry entry(long at) throws IOException {
        int position = Math.toIntExact(at);
        Map.Entry<Integer, DwarfUnit> unit = units.floorEntry(position);
        if (unit == null) {
            throw new IllegalArgumentException("no unit has byte " + at);
        }
        return entry(unit.getValue(), position);
    }

    private Entry entry(DwarfUnit unit, int at) throws IOException {
        if (at < unit.entries() || at >= unit.end()) {
            throw new IllegalArgumentException("an entry at byte " + at + " is in no unit");
        }
        LebCursor cursor = new LebCursor(info, at);
        long code = cursor.uleb();
        if (code == 0) {
            return new Entry(unit, at, null, new long[0], cursor.position());
        }
        Abbreviation shape = unit.abbreviations().get(code);
        if (shape == null) {
            throw new IOException("abbreviation " + code + " at byte " + at + " is unknown");
        }
        long[] values = new long[shape.forms().length];
        for (int i = 0; i < values.length; i++) {
            values[i] = DwarfForm.read(cursor, shape.forms()[i], unit, shape.constants()[i]);
        }
        return new Entry(unit, at, shape, values, cursor.position());
    }

    /** Finds the structs of a unit: those of its first level, as others are local to functions. */
    private void index(DwarfUnit unit) throws IOException {
        int at = unit.entries();
        int level = 0;
        while (at < unit.end()) {
            Entry entry = entry(unit, at);
            at = entry.next();
            if (entry.isEnd()) {
                level--;
                continue;
            }
            if (level == 0 && splitFile == null) {
                int name = entry.has(DWO_NAME) ? DWO_NAME : GNU_DWO_NAME;
                splitFile = text(entry, name).orElse(null);
            }
            if (level == 1 && isCompound(entry.tag()) && isElsewhere(entry, NAME)) {
                hasNamesElsewhere = true;
            } else if (level == 1 && isCompound(entry.tag()) && !entry.has(DECLARATION)) {
                text(entry, NAME)
                        .ifPresent(
                                name ->
                                        compounds
                                                .computeIfAbsent(name, _ -> new ArrayList<>())
                                                .add(entry.at()));
            }
            if (entry.known().hasChildren()) {
                int sibling = level == 0 ? 0 : sibling(entry);
                level += sibling > 0 ? 0 : 1;
                at = sibling > 0 ? sibling : at;
            }
        }
    }

    /** The position of the next entry on the same level, 0 if it is not stored. */
    private static int sibling(Entry entry) {
        int i = entry.indexOf(SIBLING);
        long at = i < 0 ? 0 : entry.values()[i];
        return at >= entry.next() && at < entry.unit().end() ? (int) at : 0;
    }

    private List<Entry> children(Entry parent) throws IOException {
        List<Entry> children = new ArrayList<>();
        if (!parent.known().hasChildren()) {
            return children;
        }
        int level = 0;
        int at = parent.next();
        while (at < parent.unit().end()) {
            Entry entry = entry(parent.unit(), at);
            at = entry.next();
            if (entry.isEnd()) {
                if (level-- == 0) {
                    break;
                }
                continue;
            }
            if (level == 0) {
                children.add(entry);
            }
            if (entry.known().hasChildren()) {
                level++;
            }
        }
        return children;
    }

    // ---- types ----------------------------------------------------------------------------------

    private static boolean isCompound(int tag) {
        return tag == TAG_STRUCTURE || tag == TAG_UNION;
    }

    private CType.Compound compound(Entry entry) throws IOException {
        CType.Compound known = read.get(entry.at());
        if (known != null) {
            return known;
        }
        List<CType.Member> members = new ArrayList<>();
        for (Entry child : children(entry)) {
            switch (child.tag()) {
                case TAG_INHERITANCE, TAG_VARIANT_PART ->
                        throw new IOException("this is no struct of C");
                case TAG_MEMBER -> {
                    if (!child.has(EXTERNAL)) {
                        members.add(member(child));
                    }
                }
                default -> {}
            }
        }
        CType.Compound found =
                new CType.Compound(
                        name(entry), entry.tag() == TAG_UNION, size(entry), List.copyOf(members));
        CType.Compound one = distinct.computeIfAbsent(found, _ -> found);
        read.put(entry.at(), one);
        return one;
    }

    private CType.Member member(Entry entry) throws IOException {
        CType type = typeOf(entry);
        int bits = Math.toIntExact(entry.constant(BIT_SIZE).orElse(0));
        long offset = entry.constant(MEMBER_LOCATION).orElse(0) * Byte.SIZE;
        OptionalLong fromEnd = entry.constant(BIT_OFFSET);
        if (fromEnd.isPresent()) { // DWARF 4: from the most significant bit of the unit
            long unit = entry.constant(BYTE_SIZE).orElse(type.bytes()) * Byte.SIZE;
            offset += unit - bits - fromEnd.getAsLong();
        } else {
            offset += entry.constant(DATA_BIT_OFFSET).orElse(0);
        }
        return new CType.Member(name(entry), type, offset, bits);
    }

    private CType typeOf(Entry entry) throws IOException {
        OptionalLong target = target(entry, TYPE);
        return target.isEmpty() ? new CType.Incomplete("void", 0) : type(entry(target.getAsLong()));
    }

    private CType type(Entry entry) throws IOException {
        CType known = types.get(entry.at());
        if (known != null) {
            return known;
        }
        if (++depth > MAX_DEPTH) {
            throw new IOException("the types refer to each other in a circle");
        }
        CType type =
                switch (entry.tag()) {
                    case TAG_BASE -> base(entry);
                    case TAG_POINTER, TAG_REFERENCE, TAG_RVALUE_REFERENCE ->
                            new CType.Address(
                                    pointer(entry),
                                    entry.constant(BYTE_SIZE).orElse(entry.unit().addressBytes()));
                    case TAG_ARRAY -> array(entry);
                    case TAG_STRUCTURE, TAG_UNION, TAG_CLASS -> compoundOrDeclared(entry);
                    case TAG_ENUMERATION -> enumeration(entry);
                    case TAG_TYPEDEF -> typeOf(entry).renamed(name(entry));
                    case TAG_CONST, TAG_VOLATILE, TAG_RESTRICT, TAG_ATOMIC -> typeOf(entry);
                    default -> new CType.Incomplete(name(entry), size(entry));
                };
        depth--;
        types.put(entry.at(), type);
        return type;
    }

    private CType compoundOrDeclared(Entry entry) throws IOException {
        OptionalLong elsewhere = target(entry, SIGNATURE);
        if (elsewhere.isPresent()) {
            return type(entry(elsewhere.getAsLong()));
        }
        return entry.has(DECLARATION) ? new CType.Incomplete(spelling(entry), 0) : compound(entry);
    }

    private CType base(Entry entry) throws IOException {
        long bytes = size(entry);
        String name = name(entry);
        int encoding = (int) entry.constant(ENCODING).orElse(0);
        return switch (encoding) {
            case ENCODED_FLOAT -> new CType.Real(name, bytes);
            case ENCODED_COMPLEX_FLOAT -> new CType.Array(new CType.Real(name, bytes / 2), 2);
            case ENCODED_BOOLEAN,
                    ENCODED_SIGNED,
                    ENCODED_SIGNED_CHAR,
                    ENCODED_UNSIGNED,
                    ENCODED_UNSIGNED_CHAR,
                    ENCODED_UTF ->
                    new CType.Int(
                            name,
                            bytes,
                            encoding == ENCODED_SIGNED || encoding == ENCODED_SIGNED_CHAR,
                            encoding == ENCODED_BOOLEAN,
                            name.equals("char"));
            default -> new CType.Incomplete(name, bytes);
        };
    }

    private CType enumeration(Entry entry) throws IOException {
        if (entry.has(DECLARATION)) {
            return new CType.Incomplete(spelling(entry), 0);
        }
        return new CType.Int(spelling(entry), size(entry), isSigned(entry), false, false);
    }

    private boolean isSigned(Entry enumeration) throws IOException {
        OptionalLong encoding = enumeration.constant(ENCODING);
        if (encoding.isPresent()) {
            return encoding.getAsLong() == ENCODED_SIGNED;
        }
        if (enumeration.has(TYPE)) {
            return typeOf(enumeration) instanceof CType.Int number && number.signed();
        }
        for (Entry child : children(enumeration)) {
            if (child.tag() == TAG_ENUMERATOR && child.constant(CONST_VALUE).orElse(0) < 0) {
                return true;
            }
        }
        return false;
    }

    private CType array(Entry entry) throws IOException {
        if (entry.has(BYTE_STRIDE) || entry.has(BIT_STRIDE)) {
            throw new IOException("an array with a stride is none of C");
        }
        CType type = typeOf(entry);
        int dimensions = dimensions(type);
        for (Entry child : children(entry).reversed()) {
            if (child.tag() == TAG_SUBRANGE) {
                if (++dimensions > MAX_DEPTH) {
                    throw new IOException("an array of more dimensions than C has");
                }
                OptionalLong count = child.constant(COUNT);
                long length =
                        count.isPresent()
                                ? count.getAsLong()
                                : child.constant(UPPER_BOUND).orElse(-1) + 1;
                if (length < 0) {
                    throw new IllegalArgumentException("length " + length);
                }
                type = new CType.Array(type, length);
            }
        }
        return type;
    }

    private static int dimensions(CType type) {
        int dimensions = 0;
        for (CType at = type; at instanceof CType.Array array; at = array.element()) {
            dimensions++;
        }
        return dimensions;
    }

    /** Returns the name of a pointer, without reading what it points to, which may be recursive. */
    private String pointer(Entry entry) throws IOException {
        StringBuilder stars = new StringBuilder();
        Entry at = entry;
        for (int i = 0; i < MAX_DEPTH; i++) {
            if (at.tag() == TAG_POINTER) {
                stars.append('*');
            }
            boolean followed =
                    switch (at.tag()) {
                        case TAG_POINTER,
                                TAG_REFERENCE,
                                TAG_RVALUE_REFERENCE,
                                TAG_CONST,
                                TAG_VOLATILE,
                                TAG_RESTRICT,
                                TAG_ATOMIC ->
                                true;
                        default -> false;
                    };
            if (!followed) {
                return (spelling(at) + " " + stars).strip();
            }
            OptionalLong target = target(at, TYPE);
            if (target.isEmpty()) {
                return "void " + stars;
            }
            at = entry(target.getAsLong());
        }
        throw new IOException("the types refer to each other in a circle");
    }

    private String spelling(Entry entry) throws IOException {
        String kind =
                switch (entry.tag()) {
                    case TAG_STRUCTURE, TAG_CLASS -> "struct ";
                    case TAG_UNION -> "union ";
                    case TAG_ENUMERATION -> "enum ";
                    case TAG_SUBROUTINE -> "function";
                    case TAG_ARRAY -> "array";
                    default -> "";
                };
        return (kind + name(entry)).strip();
    }

    // ---- values ---------------------------------------------------------------------------------

    private static long size(Entry entry) {
        long bytes = entry.constant(BYTE_SIZE).orElse(0);
        if (bytes < 0) {
            throw new IllegalArgumentException("size " + bytes);
        }
        return bytes;
    }

    /** Returns the position of the entry to which an attribute refers. */
    private OptionalLong target(Entry entry, int attribute) throws IOException {
        int i = entry.indexOf(attribute);
        if (i < 0) {
            return OptionalLong.empty();
        }
        long value = entry.values()[i];
        return switch (DwarfForm.meaning(entry.known().forms()[i])) {
            case ENTRY -> OptionalLong.of(value);
            case SIGNATURE -> {
                Integer type = signatures.get(value);
                if (type == null) {
                    throw new IOException(
                            "a type is in a section of its own: compile without"
                                    + " -fdebug-types-section");
                }
                yield OptionalLong.of(type);
            }
            case ELSEWHERE -> throw new IOException("a type is " + ELSEWHERE);
            default -> throw new IllegalArgumentException("no reference at byte " + entry.at());
        };
    }

    private String name(Entry entry) throws IOException {
        return text(entry, NAME).orElse("");
    }

    private String unitName(int at) throws IOException {
        DwarfUnit unit = units.floorEntry(at).getValue();
        return name(entry(unit, unit.entries()));
    }

    private static boolean isElsewhere(Entry entry, int attribute) {
        int i = entry.indexOf(attribute);
        return i >= 0 && DwarfForm.meaning(entry.known().forms()[i]) == DwarfForm.Meaning.ELSEWHERE;
    }

    private Optional<String> text(Entry entry, int attribute) throws IOException {
        int i = entry.indexOf(attribute);
        if (i < 0) {
            return Optional.empty();
        }
        int value = Math.toIntExact(entry.values()[i]);
        return Optional.of(
                switch (DwarfForm.meaning(entry.known().forms()[i])) {
                    case TEXT_HERE -> Elf.text(info, value);
                    case TEXT -> Elf.text(present(texts), value);
                    case LINE_TEXT -> Elf.text(present(lineTexts), value);
                    case INDEXED_TEXT -> Elf.text(present(texts), textOffset(entry, value));
                    case ELSEWHERE -> throw new IOException("a name is " + ELSEWHERE);
                    default -> throw new IllegalArgumentException("no text at byte " + entry.at());
                });
    }

    private int textOffset(Entry entry, int index) {
        DwarfUnit unit = entry.unit();
        long base;
        try {
            Entry root = entry.at() == unit.entries() ? entry : entry(unit, unit.entries());
            base = root.constant(STR_OFFSETS_BASE).orElse(2L * unit.offsetBytes());
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
        long at = base + (long) index * unit.offsetBytes();
        return Math.toIntExact(
                new LebCursor(present(textOffsets), Math.toIntExact(at))
                        .unsigned(unit.offsetBytes()));
    }

    private static ByteBuffer present(@Nullable ByteBuffer section) {
        if (section == null) {
            throw new IllegalArgumentException("a section of texts is missing");
        }
        return section;
    }
}
