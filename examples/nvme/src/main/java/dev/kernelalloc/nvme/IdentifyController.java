package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.C;
import dev.kernelalloc.struct.CType;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Offset;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.struct.Text;

import java.lang.invoke.MethodHandles;

/** The Identify Controller data structure, 5.15.2.2; the members that this driver uses. */
@Struct(size = 4096)
interface IdentifyController {

    StructType<IdentifyController> TYPE =
            StructType.of(MethodHandles.lookup(), IdentifyController.class);

    /** Returns MN, padded with spaces. */
    @Offset(24)
    @Length(40)
    @Text(charset = "US-ASCII", terminated = false)
    String modelNumber();

    /** Returns MDTS: the longest transfer in smallest pages, as a power of two; 0 for any. */
    @Offset(77)
    @C(CType.UNSIGNED_CHAR)
    int maxDataTransferSize();

    /** Returns SQES: the least size of a submission entry, a power of two, in bits 3 to 0. */
    @Offset(512)
    byte submissionEntrySize();

    /** Returns CQES: the least size of a completion entry, in the same encoding. */
    byte completionEntrySize();
}
