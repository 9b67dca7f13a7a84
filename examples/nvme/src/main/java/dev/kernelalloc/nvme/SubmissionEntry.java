package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** A command: an entry of a submission queue, section 4.2. */
interface SubmissionEntry {

    StructType<SubmissionEntry> TYPE = StructType.of(MethodHandles.lookup(), SubmissionEntry.class);

    byte opcode();

    void opcode(byte value);

    /**
     * Returns FUSE and PSDT: 0 for a command that is not fused and whose data are described by
     * PRPs.
     */
    byte flags();

    void flags(byte value);

    /** Returns CID, which the completion repeats. */
    short commandId();

    void commandId(short value);

    /** Returns NSID. */
    int namespaceId();

    void namespaceId(int value);

    long reserved();

    void reserved(long value);

    /** Returns MPTR. */
    long metadata();

    void metadata(long value);

    /** Returns PRP1, section 4.3. */
    long prp1();

    void prp1(long address);

    /** Returns PRP2. */
    long prp2();

    void prp2(long address);

    int dword10();

    void dword10(int value);

    int dword11();

    void dword11(int value);

    int dword12();

    void dword12(int value);

    int dword13();

    void dword13(int value);

    int dword14();

    void dword14(int value);

    int dword15();

    void dword15(int value);
}
