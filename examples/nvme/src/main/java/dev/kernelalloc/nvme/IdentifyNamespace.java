package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.C;
import dev.kernelalloc.struct.CType;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Offset;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** The Identify Namespace data structure, 5.15.2.1; the members that this driver uses. */
@Struct(size = 4096)
interface IdentifyNamespace {

    StructType<IdentifyNamespace> TYPE =
            StructType.of(MethodHandles.lookup(), IdentifyNamespace.class);

    /** Returns NSZE: the size in logical blocks; 0 if there is no such namespace. */
    long size();

    /** Returns FLBAS: bits 3 to 0 are the index of the format in use. */
    @Offset(26)
    byte formattedSize();

    /** Returns LBAF: the formats of logical blocks. */
    @Offset(128)
    @Length(16)
    BlockFormat formats(int index);

    /**
     * A format of logical blocks.
     *
     * @param metadataBytes MS: the metadata of each block, in addition to its data
     * @param dataBytesLog2 LBADS: the data of each block, as a power of two
     * @param performance RP: the relative performance
     */
    record BlockFormat(
            @C(CType.UNSIGNED_SHORT) int metadataBytes,
            @C(CType.UNSIGNED_CHAR) int dataBytesLog2,
            byte performance) {}

    /** Returns the format in use. */
    default BlockFormat format() {
        return formats(formattedSize() & 0xf);
    }
}
