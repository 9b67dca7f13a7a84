package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.Access;
import dev.kernelalloc.struct.MemoryOrder;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** The result of a command: an entry of a completion queue, section 4.6. */
interface CompletionEntry {

    StructType<CompletionEntry> TYPE = StructType.of(MethodHandles.lookup(), CompletionEntry.class);

    /** Returns the result, whose meaning depends on the command. */
    int dword0();

    int reserved();

    /** Returns SQHD: the controller's position in the submission queue. */
    short submissionHead();

    /** Returns SQID. */
    short submissionQueue();

    /**
     * Returns the identifier of the command, the phase and the status. The controller writes this
     * field last; any read of the entry, and of the data, after this one sees what the controller
     * wrote before.
     */
    @Access(MemoryOrder.ACQUIRE_RELEASE)
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
