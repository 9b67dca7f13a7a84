package dev.kernelalloc.struct;

import java.lang.foreign.ValueLayout;
import java.util.Locale;

/**
 * The rules of the C compilers of one platform, as far as they determine the place of a member. The
 * layout of every platform can be computed on any other.
 *
 * @param bitFields how bit-fields share units
 * @param longBytes the size of {@code long}
 * @param wcharBytes the size of {@code wchar_t}
 * @param wcharSigned whether {@code wchar_t} has a sign
 * @param unnamedBitsAlign whether an unnamed bit-field aligns its struct as a named one does
 *     (AAPCS64 8.1.8.3)
 */
record Abi(
        BitFieldRule bitFields,
        int longBytes,
        int wcharBytes,
        boolean wcharSigned,
        boolean unnamedBitsAlign) {

    enum BitFieldRule {
        /**
         * A bit-field begins at the next free bit unless it would cross a unit of its declared
         * type.
         */
        SYSTEM_V,
        /**
         * Neighbours share a unit only if their declared types have one size; a unit is allocated
         * whole.
         */
        MICROSOFT
    }

    static final Abi SYSTEM_V_X86_64 = new Abi(BitFieldRule.SYSTEM_V, 8, 4, true, false);
    static final Abi SYSTEM_V_AARCH64 = new Abi(BitFieldRule.SYSTEM_V, 8, 4, false, true);
    static final Abi MACOS = new Abi(BitFieldRule.SYSTEM_V, 8, 4, true, false);
    static final Abi WINDOWS = new Abi(BitFieldRule.MICROSOFT, 4, 2, false, false);

    /** The platform that the program runs on. */
    static final Abi HOST = of(System.getProperty("os.name"), System.getProperty("os.arch"));

    static Abi of(String osName, String architecture) {
        String os = osName.toLowerCase(Locale.ROOT);
        if (os.startsWith("windows")) {
            return WINDOWS;
        }
        if (os.startsWith("mac")) {
            return MACOS;
        }
        return architecture.equals("aarch64") ? SYSTEM_V_AARCH64 : SYSTEM_V_X86_64;
    }

    int pointerBytes() {
        return (int) ValueLayout.ADDRESS.byteSize();
    }
}
