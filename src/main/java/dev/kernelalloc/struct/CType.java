package dev.kernelalloc.struct;

/**
 * C integer types that have no Java type of their own. A wider Java type holds their values as
 * numbers; one of the same width holds the bits of an unsigned value, as elsewhere in Java.
 */
public enum CType {
    /** {@code unsigned char} or {@code uint8_t}. */
    UNSIGNED_CHAR("unsigned char", false),
    /** {@code unsigned short} or {@code uint16_t}. */
    UNSIGNED_SHORT("unsigned short", false),
    /** {@code unsigned int} or {@code uint32_t}. */
    UNSIGNED_INT("unsigned int", false),
    /** {@code long}: 8 bytes, on Windows 4; needs {@code long}. */
    LONG("long", true),
    /**
     * {@code unsigned long}: 8 bytes, on Windows 4; needs {@code long}, which may then hold the
     * bits of an unsigned value.
     */
    UNSIGNED_LONG("unsigned long", false),
    /** {@code size_t}; needs {@code long}. */
    SIZE_T("size_t", false),
    /** {@code ssize_t}; needs {@code long}. */
    SSIZE_T("ssize_t", true),
    /** {@code ptrdiff_t}; needs {@code long}. */
    PTRDIFF_T("ptrdiff_t", true),
    /** {@code intptr_t}; needs {@code long}. */
    INTPTR_T("intptr_t", true),
    /** {@code uintptr_t}, or a pointer kept as a number; needs {@code long}. */
    UINTPTR_T("uintptr_t", false),
    /** {@code wchar_t}: 4 bytes, on Windows 2; needs {@code int} or {@code long}. */
    WCHAR_T("wchar_t", true);

    private final String spelling;
    private final boolean signed;

    CType(String spelling, boolean signed) {
        this.spelling = spelling;
        this.signed = signed;
    }

    /** As C spells it. */
    String spelling() {
        return spelling;
    }

    int bytes(Abi abi) {
        return switch (this) {
            case UNSIGNED_CHAR -> 1;
            case UNSIGNED_SHORT -> 2;
            case UNSIGNED_INT -> 4;
            case LONG, UNSIGNED_LONG -> abi.longBytes();
            case SIZE_T, SSIZE_T, PTRDIFF_T, INTPTR_T, UINTPTR_T -> abi.pointerBytes();
            case WCHAR_T -> abi.wcharBytes();
        };
    }

    boolean signed(Abi abi) {
        return this == WCHAR_T ? abi.wcharSigned() : signed;
    }

    /** Its width where it is widest. */
    int widestBits() {
        return switch (this) {
            case UNSIGNED_CHAR -> 8;
            case UNSIGNED_SHORT -> 16;
            case UNSIGNED_INT, WCHAR_T -> 32;
            default -> 64;
        };
    }
}
