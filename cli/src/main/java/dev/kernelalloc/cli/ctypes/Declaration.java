package dev.kernelalloc.cli.ctypes;

import java.util.List;

/**
 * The source of a declaration, and where its members must be.
 *
 * @param typeName the name of the outermost type
 * @param source the source, without a package
 * @param members all members, those of nested structs included
 * @param bytes the size of the struct
 */
public record Declaration(String typeName, String source, List<Placed> members, long bytes) {

    /**
     * A member and its place in C.
     *
     * @param path the path in Java, as {@code StructType.getter} takes it
     * @param bitOffset the offset from the start of the outermost struct, in bits
     * @param bits the width of a bit-field; 0 for other members
     * @param bytes the size of other members, in bytes
     */
    public record Placed(String path, long bitOffset, int bits, long bytes) {}
}
