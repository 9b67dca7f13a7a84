package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.Access;
import dev.kernelalloc.struct.AccessMode;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** What became of a command: an entry of a completion queue, section 4.6. */
interface CompletionEntry {

    StructType<CompletionEntry> TYPE = StructType.of(MethodHandles.lookup(), CompletionEntry.class);

    /** A result, by command. */
    int dword0();

    int reserved();

    /** SQHD: how far the controller has got in the submission queue. */
    short submissionHead();

    /** SQID. */
    short submissionQueue();

    /**
     * The identifier of the command, the phase and the status. The controller writes it last; what
     * is read of the entry, and of the data, after this read is what the controller wrote before.
     */
    @Access(AccessMode.ACQUIRE_RELEASE)
    int dword3();

    /** Returns the CID in a {@link #dword3()}. */
    static int commandId(int dword3) {
        return dword3 & 0xffff;
    }

    /** Returns the phase tag in a {@link #dword3()}. */
    static int phase(int dword3) {
        return dword3 >>> 16 & 1;
    }

    /** Returns the status field in a {@link #dword3()}, 4.6.1: 0 is success. */
    static int status(int dword3) {
        return dword3 >>> 17;
    }
}
