package dev.kernelalloc.cli.ctypes;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.zip.InflaterInputStream;

/**
 * The sections of a 64-bit little-endian ELF file. Sections that zlib compressed are decompressed,
 * and those of an object file are relocated: there, the offsets into other sections stand in the
 * relocations alone.
 */
final class Elf {

    private static final int MAGIC = 0x464C457F;
    private static final int CLASS_64_LITTLE_ENDIAN = 0x0102;

    private static final int TYPE_RELOCATABLE = 1;
    private static final int SECTION_RELA = 4;
    private static final int SECTION_WITHOUT_BYTES = 8;
    private static final long FLAG_COMPRESSED = 0x800;
    private static final int COMPRESSED_BY_ZLIB = 1;

    private static final int MACHINE_X86_64 = 62;
    private static final int MACHINE_AARCH64 = 183;

    private static final int RELA_BYTES = 24;
    private static final int SYMBOL_BYTES = 24;
    private static final int COMPRESSION_HEADER_BYTES = 24;

    private final ByteBuffer file;
    private final int headers;
    private final int headerBytes;
    private final int count;

    /** The header of each section by name: of several with one name, the first. */
    private final Map<String, Integer> sections = new LinkedHashMap<>();

    private Elf(ByteBuffer file) throws IOException {
        this.file = file;
        if (file.getShort(4) != CLASS_64_LITTLE_ENDIAN) {
            throw new IOException("only 64-bit little-endian ELF files can be read");
        }
        this.headers = Math.toIntExact(file.getLong(0x28));
        this.headerBytes = Short.toUnsignedInt(file.getShort(0x3A));
        this.count = Short.toUnsignedInt(file.getShort(0x3C));
        if (count > 0) {
            ByteBuffer names = bytes(header(Short.toUnsignedInt(file.getShort(0x3E))));
            for (int i = 0; i < count; i++) {
                sections.putIfAbsent(text(names, file.getInt(header(i))), header(i));
            }
        }
    }

    /** Returns whether a file begins as an ELF file does. */
    static boolean isElf(ByteBuffer file) {
        return file.remaining() >= Integer.BYTES && file.getInt(0) == MAGIC;
    }

    /** Reads the sections of a file in memory, in little-endian order. */
    static Elf of(ByteBuffer file) throws IOException {
        return new Elf(file);
    }

    /**
     * Maps a file and reads its sections.
     *
     * @throws IOException if it cannot be read, is larger than 2 GiB, or is no such file
     */
    static Elf map(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path)) {
            if (channel.size() > Integer.MAX_VALUE) {
                throw new IOException(
                        String.format(
                                Locale.ROOT,
                                "file too large: bytes=%d limit=%d; name one of its object files",
                                channel.size(),
                                Integer.MAX_VALUE));
            }
            ByteBuffer file =
                    channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size())
                            .order(ByteOrder.LITTLE_ENDIAN);
            if (!isElf(file)) {
                throw new IOException("no ELF file: it begins with another magic number");
            }
            return new Elf(file);
        }
    }

    /**
     * Returns the bytes of a section, in little-endian order.
     *
     * @throws IOException if it is compressed otherwise than by zlib, or its relocations are those
     *     of an unknown machine
     */
    Optional<ByteBuffer> section(String name) throws IOException {
        Integer header = sections.get(name);
        if (header == null) {
            return Optional.empty();
        }
        boolean compressed = (file.getLong(header + 0x08) & FLAG_COMPRESSED) != 0;
        ByteBuffer bytes = compressed ? inflated(name, bytes(header)) : bytes(header);
        return Optional.of(
                file.getShort(0x10) == TYPE_RELOCATABLE ? relocated(bytes, header) : bytes);
    }

    private int header(int index) {
        return Math.addExact(headers, Math.multiplyExact(index, headerBytes));
    }

    private ByteBuffer bytes(int header) throws IOException {
        if (file.getInt(header + 0x04) == SECTION_WITHOUT_BYTES) {
            throw new IOException("the bytes of a section are in another file");
        }
        return file.slice(
                        Math.toIntExact(file.getLong(header + 0x18)),
                        Math.toIntExact(file.getLong(header + 0x20)))
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ByteBuffer inflated(String name, ByteBuffer section) throws IOException {
        if (section.getInt(0) != COMPRESSED_BY_ZLIB) {
            throw new IOException(
                    String.format(
                            Locale.ROOT,
                            "section %s is compressed: method=%d readable=%d (zlib); run objcopy"
                                    + " --decompress-debug-sections",
                            name,
                            section.getInt(0),
                            COMPRESSED_BY_ZLIB));
        }
        if (section.remaining() < COMPRESSION_HEADER_BYTES) {
            throw new IOException("section " + name + " is damaged: its header is cut");
        }
        byte[] packed = new byte[section.remaining() - COMPRESSION_HEADER_BYTES];
        section.get(COMPRESSION_HEADER_BYTES, packed);
        try (InputStream stream = new InflaterInputStream(new ByteArrayInputStream(packed))) {
            byte[] plain = stream.readAllBytes();
            if (plain.length != section.getLong(8)) {
                throw new IOException("section " + name + " is damaged: its length differs");
            }
            return ByteBuffer.wrap(plain).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    // ---- relocations ----------------------------------------------------------------------------

    private ByteBuffer relocated(ByteBuffer section, int header) throws IOException {
        ByteBuffer copy = section;
        for (int i = 0; i < count; i++) {
            int relocations = header(i);
            boolean ours =
                    file.getInt(relocations + 0x04) == SECTION_RELA
                            && header(file.getInt(relocations + 0x2C)) == header;
            if (ours) {
                copy = ByteBuffer.allocate(section.capacity()).order(ByteOrder.LITTLE_ENDIAN);
                copy.put(0, section, 0, section.capacity());
                relocate(copy, bytes(relocations), bytes(header(file.getInt(relocations + 0x28))));
            }
        }
        return copy;
    }

    private void relocate(ByteBuffer section, ByteBuffer relocations, ByteBuffer symbols)
            throws IOException {
        for (int at = 0; at < relocations.capacity(); at += RELA_BYTES) {
            int place = Math.toIntExact(relocations.getLong(at));
            long info = relocations.getLong(at + 8);
            int symbol = Math.multiplyExact((int) (info >>> 32), SYMBOL_BYTES);
            long value = symbols.getLong(symbol + 8) + relocations.getLong(at + 16);
            switch (width((int) info)) {
                case Integer.BYTES -> section.putInt(place, (int) value);
                case Long.BYTES -> section.putLong(place, value);
                default -> {} // in an expression, which no declaration needs
            }
        }
    }

    private int width(int type) throws IOException {
        int machine = Short.toUnsignedInt(file.getShort(0x12));
        return switch (machine) {
            case MACHINE_X86_64 ->
                    switch (type) {
                        case 1 -> Long.BYTES; // R_X86_64_64
                        case 10 -> Integer.BYTES; // R_X86_64_32
                        default -> 0;
                    };
            case MACHINE_AARCH64 ->
                    switch (type) {
                        case 257 -> Long.BYTES; // R_AARCH64_ABS64
                        case 258 -> Integer.BYTES; // R_AARCH64_ABS32
                        default -> 0;
                    };
            default ->
                    throw new IOException(
                            String.format(
                                    Locale.ROOT,
                                    "an object file of machine=%d cannot be relocated here; name"
                                            + " the linked file",
                                    machine));
        };
    }

    /** Returns the text that begins at a position and ends before the next zero byte. */
    static String text(ByteBuffer data, int start) {
        int end = start;
        while (data.get(end) != 0) {
            end++;
        }
        byte[] bytes = new byte[end - start];
        data.get(start, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
