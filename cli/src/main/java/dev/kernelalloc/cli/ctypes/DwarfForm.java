package dev.kernelalloc.cli.ctypes;

import java.io.IOException;
import java.util.Locale;

/** How the value of an attribute is encoded: DWARF 5, section 7.5.6, and GNU's extensions. */
final class DwarfForm {

    static final int IMPLICIT_CONST = 0x21;

    private static final int ADDR = 0x01;
    private static final int BLOCK2 = 0x03;
    private static final int BLOCK4 = 0x04;
    private static final int DATA2 = 0x05;
    private static final int DATA4 = 0x06;
    private static final int DATA8 = 0x07;
    private static final int STRING = 0x08;
    private static final int BLOCK = 0x09;
    private static final int BLOCK1 = 0x0A;
    private static final int DATA1 = 0x0B;
    private static final int FLAG = 0x0C;
    private static final int SDATA = 0x0D;
    private static final int STRP = 0x0E;
    private static final int UDATA = 0x0F;
    private static final int REF_ADDR = 0x10;
    private static final int REF1 = 0x11;
    private static final int REF2 = 0x12;
    private static final int REF4 = 0x13;
    private static final int REF8 = 0x14;
    private static final int REF_UDATA = 0x15;
    private static final int SEC_OFFSET = 0x17;
    private static final int EXPRLOC = 0x18;
    private static final int FLAG_PRESENT = 0x19;
    private static final int STRX = 0x1A;
    private static final int ADDRX = 0x1B;
    private static final int REF_SUP4 = 0x1C;
    private static final int STRP_SUP = 0x1D;
    private static final int DATA16 = 0x1E;
    private static final int LINE_STRP = 0x1F;
    private static final int REF_SIG8 = 0x20;
    private static final int LOCLISTX = 0x22;
    private static final int RNGLISTX = 0x23;
    private static final int REF_SUP8 = 0x24;
    private static final int STRX1 = 0x25;
    private static final int STRX2 = 0x26;
    private static final int STRX3 = 0x27;
    private static final int STRX4 = 0x28;
    private static final int ADDRX1 = 0x29;
    private static final int ADDRX2 = 0x2A;
    private static final int ADDRX3 = 0x2B;
    private static final int ADDRX4 = 0x2C;
    private static final int GNU_ADDR_INDEX = 0x1F01;
    private static final int GNU_STR_INDEX = 0x1F02;
    private static final int GNU_REF_ALT = 0x1F20;
    private static final int GNU_STRP_ALT = 0x1F21;

    /** What a value means. */
    enum Meaning {
        CONSTANT,
        /** The position of an entry in {@code .debug_info}. */
        ENTRY,
        /** The signature of a type unit. */
        SIGNATURE,
        /** The position of a text in {@code .debug_info}. */
        TEXT_HERE,
        /** The position of a text in {@code .debug_str}. */
        TEXT,
        /** The position of a text in {@code .debug_line_str}. */
        LINE_TEXT,
        /** The index of a text in {@code .debug_str_offsets}. */
        INDEXED_TEXT,
        /** Of an entry or a text in another file. */
        ELSEWHERE,
        /** An expression, an address or a block, which no declaration needs. */
        OTHER
    }

    private DwarfForm() {}

    static Meaning meaning(int form) {
        return switch (form) {
            case DATA1,
                    DATA2,
                    DATA4,
                    DATA8,
                    SDATA,
                    UDATA,
                    IMPLICIT_CONST,
                    FLAG,
                    FLAG_PRESENT,
                    SEC_OFFSET ->
                    Meaning.CONSTANT;
            case REF1, REF2, REF4, REF8, REF_UDATA, REF_ADDR -> Meaning.ENTRY;
            case REF_SIG8 -> Meaning.SIGNATURE;
            case STRING -> Meaning.TEXT_HERE;
            case STRP -> Meaning.TEXT;
            case LINE_STRP -> Meaning.LINE_TEXT;
            case STRX, STRX1, STRX2, STRX3, STRX4, GNU_STR_INDEX -> Meaning.INDEXED_TEXT;
            case REF_SUP4, REF_SUP8, STRP_SUP, GNU_REF_ALT, GNU_STRP_ALT -> Meaning.ELSEWHERE;
            default -> Meaning.OTHER;
        };
    }

    /** Reads a value, or skips it if it is of no number. */
    static long read(LebCursor cursor, int form, DwarfUnit unit, long constant) throws IOException {
        return switch (form) {
            case DATA1, FLAG, STRX1, ADDRX1 -> cursor.unsigned(1);
            case DATA2, STRX2, ADDRX2 -> cursor.unsigned(2);
            case STRX3, ADDRX3 -> cursor.unsigned(3);
            case DATA4, STRX4, ADDRX4, REF_SUP4 -> cursor.unsigned(4);
            case DATA8, REF_SIG8, REF_SUP8 -> cursor.unsigned(8);
            case SDATA -> cursor.sleb();
            case UDATA, STRX, ADDRX, LOCLISTX, RNGLISTX, GNU_ADDR_INDEX, GNU_STR_INDEX ->
                    cursor.uleb();
            case IMPLICIT_CONST -> constant;
            case FLAG_PRESENT -> 1;
            case REF1 -> unit.start() + cursor.unsigned(1);
            case REF2 -> unit.start() + cursor.unsigned(2);
            case REF4 -> unit.start() + cursor.unsigned(4);
            case REF8 -> unit.start() + cursor.unsigned(8);
            case REF_UDATA -> unit.start() + cursor.uleb();
            case STRP, LINE_STRP, SEC_OFFSET, REF_ADDR, STRP_SUP, GNU_REF_ALT, GNU_STRP_ALT ->
                    cursor.unsigned(unit.offsetBytes());
            case ADDR -> cursor.unsigned(unit.addressBytes());
            case STRING -> {
                long at = cursor.position();
                cursor.skipText();
                yield at;
            }
            case BLOCK1 -> skip(cursor, cursor.unsigned(1));
            case BLOCK2 -> skip(cursor, cursor.unsigned(2));
            case BLOCK4 -> skip(cursor, cursor.unsigned(4));
            case BLOCK, EXPRLOC -> skip(cursor, cursor.uleb());
            case DATA16 -> skip(cursor, 16);
            default ->
                    throw new IOException(
                            String.format(
                                    Locale.ROOT,
                                    "form 0x%x at byte %d is unknown to this program",
                                    form,
                                    cursor.position()));
        };
    }

    private static long skip(LebCursor cursor, long bytes) {
        cursor.skip(bytes);
        return 0;
    }
}
