package dev.kernelalloc.cli.ctypes;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
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
public final class Btf {

    /** The types of the running kernel. */
    public static final Path KERNEL = Path.of("/sys/kernel/btf/vmlinux");

    private static final int MAGIC = 0xEB9F;
    private static final int ELF_MAGIC = 0x464C457F;
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

    private static final int INT_SIGNED = 1;
    private static final int INT_BOOL = 4;

    private final ByteBuffer data;
    private final int strings;

    /** The position of each type; that of type 0, {@code void}, is unused. */
    private final List<Integer> types = new ArrayList<>(List.of(0));

    /** Structs and unions by their names: the first of each, as later ones are of modules. */
    private final Map<String, Integer> compounds = new HashMap<>();

    private final Map<Integer, CType.Compound> read = new HashMap<>();

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
            return new Btf(data.getInt(0) == ELF_MAGIC ? section(data) : data);
        } catch (IndexOutOfBoundsException e) {
            throw new IOException(file + " is truncated, or no file of type information", e);
        }
    }

    /** The section of a 64-bit ELF file. */
    private static ByteBuffer section(ByteBuffer elf) throws IOException {
        int headers = Math.toIntExact(elf.getLong(0x28));
        int headerBytes = elf.getShort(0x3A);
        int count = elf.getShort(0x3C);
        int names = sectionOffset(elf, headers + headerBytes * elf.getShort(0x3E));
        for (int i = 0; i < count; i++) {
            int at = headers + i * headerBytes;
            if (text(elf, names + elf.getInt(at)).equals(".BTF")) {
                return elf.slice(sectionOffset(elf, at), Math.toIntExact(elf.getLong(at + 0x20)))
                        .order(ByteOrder.LITTLE_ENDIAN);
            }
        }
        throw new IOException("the ELF file has no section .BTF: compile it with cc -gbtf");
    }

    private static int sectionOffset(ByteBuffer elf, int header) {
        return Math.toIntExact(elf.getLong(header + 0x18));
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

    /** Returns the names of all structs and unions that have one. */
    public List<String> names() {
        return compounds.keySet().stream().sorted().toList();
    }

    /** Returns a struct or a union by its name. */
    public Optional<CType.Compound> find(String name) {
        Integer id = compounds.get(name);
        return id == null ? Optional.empty() : Optional.of(compound(id));
    }

    private CType.Compound compound(int id) {
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
        read.put(id, found);
        return found;
    }

    private CType type(int id) {
        if (id == 0) {
            return new CType.Incomplete("void");
        }
        int at = types.get(id);
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
            case KIND_TYPEDEF -> renamed(type(data.getInt(at + 8)), name(at));
            case KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_TYPE_TAG ->
                    type(data.getInt(at + 8));
            case KIND_FLOAT -> new CType.Real(name(at), size(at));
            default -> new CType.Incomplete(name(at));
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

    /** A typedef of a number or of an anonymous struct keeps its name. */
    private static CType renamed(CType type, String name) {
        return switch (type) {
            case CType.Int number ->
                    new CType.Int(
                            name,
                            number.bytes(),
                            number.signed(),
                            number.truth(),
                            number.character());
            case CType.Compound compound when compound.name().isEmpty() ->
                    new CType.Compound(
                            name, compound.union(), compound.bytes(), compound.members());
            default -> type;
        };
    }

    /**
     * Returns the name of a pointer to a type, without reading the type, which may be recursive.
     */
    private String pointer(int target) {
        @Nullable String name = null;
        int id = target;
        while (name == null) {
            if (id == 0) {
                name = "void";
                break;
            }
            int at = types.get(id);
            name =
                    switch (kind(at)) {
                        case KIND_STRUCT, KIND_FWD -> "struct " + name(at);
                        case KIND_UNION -> "union " + name(at);
                        case KIND_INT, KIND_TYPEDEF, KIND_FLOAT -> name(at);
                        case KIND_ENUM, KIND_ENUM64 -> "enum " + name(at);
                        case KIND_PTR -> pointer(data.getInt(at + 8));
                        case KIND_FUNC_PROTO -> "function";
                        case KIND_ARRAY -> "array";
                        default -> null;
                    };
            id = name == null ? data.getInt(at + 8) : id;
        }
        return name.strip() + (name.endsWith("*") ? "*" : " *");
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
        return text(data, strings + offset);
    }

    private static String text(ByteBuffer data, int start) {
        int end = start;
        while (data.get(end) != 0) {
            end++;
        }
        byte[] bytes = new byte[end - start];
        data.get(start, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
