package dev.kernelalloc.cli.ctypes;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The types of a file in the BPF Type Format: {@code /sys/kernel/btf/vmlinux}, or the section
 * {@code .BTF} of an ELF file, such as {@code cc -gbtf} writes. The format is that of the kernel's
 * Documentation/bpf/btf.rst.
 */
public final class Btf implements DebugTypes {

    /** The types of the running kernel. */
    public static final Path KERNEL = Path.of("/sys/kernel/btf/vmlinux");

    private static final int MAGIC = 0xEB9F;
    private static final int ADDRESS_BYTES = 8;

    private static final int KIND_INT = 1;
    private static final int KIND_PTR = 2;
    private static final int KIND_ARRAY = 3;
    private static final int KIND_STRUCT = 4;
    private static final int KIND_UNION = 5;
    private static final int KIND_ENUM = 6;
    private static final int KIND_FWD = 7;
    private static final int KIND_TYPEDEF = 8;
    private static final int KIND_VOLATILE = 9;
    private static final int KIND_CONST = 10;
    private static final int KIND_RESTRICT = 11;
    private static final int KIND_FUNC = 12;
    private static final int KIND_FUNC_PROTO = 13;
    private static final int KIND_VAR = 14;
    private static final int KIND_DATASEC = 15;
    private static final int KIND_FLOAT = 16;
    private static final int KIND_DECL_TAG = 17;
    private static final int KIND_TYPE_TAG = 18;
    private static final int KIND_ENUM64 = 19;

    /** Types inside each other, which no C program reaches; a damaged file may have a circle. */
    private static final int MAX_DEPTH = 200;

    private static final String CIRCLE = "the types refer to each other in a circle";

    private static final int INT_SIGNED = 1;
    private static final int INT_BOOL = 4;

    private final ByteBuffer data;
    private final int strings;

    /** The position of each type; that of type 0, {@code void}, is unused. */
    private final List<Integer> types = new ArrayList<>(List.of(0));

    /** Structs and unions by their names: the first of each, as later ones are of modules. */
    private final Map<String, Integer> compounds = new HashMap<>();

    private final Map<Integer, CType.Compound> read = new HashMap<>();

    /** One object for all structs that are equal. */
    private final Map<CType.Compound, CType.Compound> distinct = new HashMap<>();

    private int depth;

    private Btf(ByteBuffer data) throws IOException {
        this.data = data;
        if (data.remaining() < 24 || Short.toUnsignedInt(data.getShort(0)) != MAGIC) {
            throw new IOException("no BTF: the file begins with no BTF header");
        }
        int header = data.getInt(4);
        int first = header + data.getInt(8);
        int end = first + data.getInt(12);
        this.strings = header + data.getInt(16);
        int at = first;
        while (at < end) {
            index(at);
            at += 12 + extraBytes(at);
        }
    }

    /**
     * Reads all types of a file.
     *
     * @param file a file in the format, or an ELF file with a section {@code .BTF}
     * @throws IOException if it cannot be read, or is neither
     */
    public static Btf read(Path file) throws IOException {
        ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        try {
            return new Btf(Elf.isElf(data) ? section(data) : data);
        } catch (IndexOutOfBoundsException | IllegalArgumentException | ArithmeticException e) {
            throw new IOException(file + " is truncated, or no file of type information", e);
        }
    }

    private static ByteBuffer section(ByteBuffer elf) throws IOException {
        return Elf.of(elf)
                .section(".BTF")
                .orElseThrow(
                        () ->
                                new IOException(
                                        "the ELF file has no section .BTF: compile it with cc"
                                                + " -gbtf, or read its DWARF by --dwarf"));
    }

    private void index(int at) {
        int kind = kind(at);
        if ((kind == KIND_STRUCT || kind == KIND_UNION) && data.getInt(at) != 0) {
            compounds.putIfAbsent(name(at), types.size());
        }
        types.add(at);
    }

    /** The bytes behind the three words that every type has. */
    private int extraBytes(int at) throws IOException {
        int count = count(at);
        return switch (kind(at)) {
            case KIND_PTR,
                    KIND_FWD,
                    KIND_TYPEDEF,
                    KIND_VOLATILE,
                    KIND_CONST,
                    KIND_RESTRICT,
                    KIND_FUNC,
                    KIND_FLOAT,
                    KIND_TYPE_TAG ->
                    0;
            case KIND_INT, KIND_VAR, KIND_DECL_TAG -> 4;
            case KIND_ARRAY -> 12;
            case KIND_STRUCT, KIND_UNION, KIND_DATASEC, KIND_ENUM64 -> 12 * count;
            case KIND_ENUM, KIND_FUNC_PROTO -> 8 * count;
            default ->
                    throw new IOException(
                            String.format(
                                    Locale.ROOT,
                                    "kind %d at byte %d is unknown to this program",
                                    kind(at),
                                    at));
        };
    }

    @Override
    public List<String> names() {
        return compounds.keySet().stream().sorted().toList();
    }

    @Override
    public Optional<CType.Compound> find(String name) throws IOException {
        Integer id = compounds.get(name);
        depth = 0;
        try {
            return id == null ? Optional.empty() : Optional.of(compound(id));
        } catch (IndexOutOfBoundsException | IllegalArgumentException | ArithmeticException e) {
            throw new IOException(name + " is damaged: " + e.getMessage(), e);
        }
    }

    private CType.Compound compound(int id) throws IOException {
        CType.Compound known = read.get(id);
        if (known != null) {
            return known;
        }
        int at = types.get(id);
        boolean widths = data.getInt(at + 4) < 0; // kind_flag
        List<CType.Member> members = new ArrayList<>();
        for (int i = 0; i < count(at); i++) {
            int member = at + 12 + 12 * i;
            int offset = data.getInt(member + 8);
            members.add(
                    new CType.Member(
                            string(data.getInt(member)),
                            type(data.getInt(member + 4)),
                            widths ? offset & 0xFFFFFF : Integer.toUnsignedLong(offset),
                            widths ? offset >>> 24 : 0));
        }
        CType.Compound found =
                new CType.Compound(
                        name(at), kind(at) == KIND_UNION, size(at), List.copyOf(members));
        CType.Compound one = distinct.computeIfAbsent(found, _ -> found);
        read.put(id, one);
        return one;
    }

    private CType type(int id) throws IOException {
        if (id == 0) {
            return new CType.Incomplete("void", 0);
        }
        if (++depth > MAX_DEPTH) {
            throw new IOException(CIRCLE);
        }
        CType type = type(id, types.get(id));
        depth--;
        return type;
    }

    private CType type(int id, int at) throws IOException {
        return switch (kind(at)) {
            case KIND_INT -> integer(at);
            case KIND_PTR -> new CType.Address(pointer(data.getInt(at + 8)), ADDRESS_BYTES);
            case KIND_ARRAY ->
                    new CType.Array(
                            type(data.getInt(at + 12)),
                            Integer.toUnsignedLong(data.getInt(at + 20)));
            case KIND_STRUCT, KIND_UNION -> compound(id);
            case KIND_ENUM, KIND_ENUM64 ->
                    new CType.Int(
                            ("enum " + name(at)).strip(),
                            size(at),
                            data.getInt(at + 4) < 0,
                            false,
                            false);
            case KIND_TYPEDEF -> type(data.getInt(at + 8)).renamed(name(at));
            case KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_TYPE_TAG ->
                    type(data.getInt(at + 8));
            case KIND_FLOAT -> new CType.Real(name(at), size(at));
            default -> new CType.Incomplete(name(at), 0);
        };
    }

    private CType.Int integer(int at) {
        int encoding = data.getInt(at + 12) >>> 24 & 0xF;
        String spelling = name(at);
        return new CType.Int(
                spelling,
                size(at),
                (encoding & INT_SIGNED) != 0,
                (encoding & INT_BOOL) != 0,
                spelling.equals("char"));
    }

    /**
     * Returns the name of a pointer to a type, without reading the type, which may be recursive.
     */
    private String pointer(int target) throws IOException {
        StringBuilder stars = new StringBuilder("*");
        int id = target;
        for (int i = 0; i < MAX_DEPTH; i++) {
            if (id == 0) {
                return "void " + stars;
            }
            int at = types.get(id);
            @Nullable String name =
                    switch (kind(at)) {
                        case KIND_STRUCT, KIND_FWD -> "struct " + name(at);
                        case KIND_UNION -> "union " + name(at);
                        case KIND_INT, KIND_TYPEDEF, KIND_FLOAT -> name(at);
                        case KIND_ENUM, KIND_ENUM64 -> "enum " + name(at);
                        case KIND_FUNC_PROTO -> "function";
                        case KIND_ARRAY -> "array";
                        default -> null;
                    };
            if (name != null) {
                return name.strip() + " " + stars;
            }
            stars.append(kind(at) == KIND_PTR ? "*" : "");
            id = data.getInt(at + 8);
        }
        throw new IOException(CIRCLE);
    }

    // ---- the words of a type --------------------------------------------------------------------

    private int kind(int at) {
        return data.getInt(at + 4) >>> 24 & 0x1F;
    }

    private int count(int at) {
        return data.getInt(at + 4) & 0xFFFF;
    }

    private long size(int at) {
        return Integer.toUnsignedLong(data.getInt(at + 8));
    }

    private String name(int at) {
        return string(data.getInt(at));
    }

    private String string(int offset) {
        return Elf.text(data, strings + offset);
    }
}
