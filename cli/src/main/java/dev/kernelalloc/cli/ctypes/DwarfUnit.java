package dev.kernelalloc.cli.ctypes;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * A unit of {@code .debug_info}: its header, and what one needs to read an entry of it.
 *
 * @param start the position of its header
 * @param entries the position of its first entry
 * @param end the position behind its last entry
 * @param offsetBytes the size of an offset: 4, or 8 in the 64-bit format
 * @param signature the signature of the type that a type unit describes; otherwise 0
 * @param type the position of that type; otherwise 0
 */
record DwarfUnit(
        int start,
        int entries,
        int end,
        int offsetBytes,
        int addressBytes,
        Map<Long, Abbreviation> abbreviations,
        long signature,
        int type) {

    private static final int ESCAPE_64 = 0xFFFFFFFF;

    private static final int UNIT_TYPE = 2;
    private static final int UNIT_SKELETON = 4;
    private static final int UNIT_SPLIT_COMPILE = 5;
    private static final int UNIT_SPLIT_TYPE = 6;

    /**
     * The tag and the attributes of entries of one shape.
     *
     * @param constants the values of attributes whose form is {@code DW_FORM_implicit_const}
     */
    record Abbreviation(
            int tag, boolean hasChildren, int[] attributes, int[] forms, long[] constants) {}

    /** Reads the header at a position. */
    static DwarfUnit read(
            ByteBuffer info, int start, ByteBuffer table, Map<Long, Map<Long, Abbreviation>> known)
            throws IOException {
        LebCursor cursor = new LebCursor(info, start);
        long length = cursor.unsigned(Integer.BYTES);
        int offsetBytes = Integer.BYTES;
        if ((int) length == ESCAPE_64) {
            offsetBytes = Long.BYTES;
            length = cursor.unsigned(Long.BYTES);
        }
        int body = cursor.position();
        int version = (int) cursor.unsigned(2);
        if (version != 4 && version != 5) {
            throw new IOException(
                    String.format(
                            Locale.ROOT,
                            "unit at byte %d: DWARF version=%d readable=4,5; compile with"
                                    + " -gdwarf-5",
                            start,
                            version));
        }
        if (length < 0 || length > info.capacity() - body) {
            throw new IOException(
                    String.format(
                            Locale.ROOT,
                            "unit at byte %d is damaged: length=%d section=%d",
                            start,
                            length,
                            info.capacity()));
        }
        int end = body + (int) length;
        int kind = version == 5 ? (int) cursor.unsigned(1) : 0;
        int addressBytes = version == 5 ? (int) cursor.unsigned(1) : 0;
        long abbreviations = cursor.unsigned(offsetBytes);
        addressBytes = version == 5 ? addressBytes : (int) cursor.unsigned(1);
        long signature = 0;
        int type = 0;
        switch (kind) {
            case UNIT_TYPE, UNIT_SPLIT_TYPE -> {
                signature = cursor.unsigned(Long.BYTES);
                type = Math.toIntExact(start + cursor.unsigned(offsetBytes));
            }
            case UNIT_SKELETON, UNIT_SPLIT_COMPILE -> cursor.skip(Long.BYTES);
            default -> {}
        }
        Map<Long, Abbreviation> shapes = known.get(abbreviations);
        if (shapes == null) {
            shapes = abbreviations(new LebCursor(table, Math.toIntExact(abbreviations)));
            known.put(abbreviations, shapes);
        }
        return new DwarfUnit(
                start, cursor.position(), end, offsetBytes, addressBytes, shapes, signature, type);
    }

    private static Map<Long, Abbreviation> abbreviations(LebCursor cursor) {
        Map<Long, Abbreviation> found = new HashMap<>();
        for (long code = cursor.uleb(); code != 0; code = cursor.uleb()) {
            int tag = (int) cursor.uleb();
            boolean hasChildren = cursor.unsigned(1) != 0;
            int first = cursor.position();
            int count = 0;
            while (skipAttribute(cursor)) {
                count++;
            }
            int[] attributes = new int[count];
            int[] forms = new int[count];
            long[] constants = new long[count];
            LebCursor again = cursor.at(first);
            for (int i = 0; i < count; i++) {
                attributes[i] = (int) again.uleb();
                forms[i] = (int) again.uleb();
                constants[i] = forms[i] == DwarfForm.IMPLICIT_CONST ? again.sleb() : 0;
            }
            found.put(code, new Abbreviation(tag, hasChildren, attributes, forms, constants));
        }
        return found;
    }

    private static boolean skipAttribute(LebCursor cursor) {
        long attribute = cursor.uleb();
        long form = cursor.uleb();
        if (form == DwarfForm.IMPLICIT_CONST) {
            cursor.sleb();
        }
        return attribute != 0 || form != 0;
    }
}
