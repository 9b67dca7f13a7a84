package dev.kernelalloc.struct;

import java.nio.ByteOrder;

/** A byte order that an annotation can name. */
public enum Endian {
    /** The order of the machine that runs the program. */
    NATIVE(ByteOrder.nativeOrder()),
    /** The least significant byte first: most devices and file formats. */
    LITTLE(ByteOrder.LITTLE_ENDIAN),
    /** The most significant byte first: network protocols. */
    BIG(ByteOrder.BIG_ENDIAN);

    private final ByteOrder byteOrder;

    Endian(ByteOrder byteOrder) {
        this.byteOrder = byteOrder;
    }

    ByteOrder byteOrder() {
        return byteOrder;
    }
}
