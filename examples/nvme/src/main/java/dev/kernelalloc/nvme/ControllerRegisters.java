package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.Access;
import dev.kernelalloc.struct.MemoryOrder;
import dev.kernelalloc.struct.Offset;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/**
 * The registers of a controller, at the start of its BAR 0: section 3.1.
 *
 * <p>Reading a register may have a side effect, and writing one always has. Volatile accesses are
 * neither omitted, nor repeated, nor reordered; a plain access may be any of these.
 */
@Struct(size = 0x1000)
interface ControllerRegisters {

    StructType<ControllerRegisters> TYPE =
            StructType.of(MethodHandles.lookup(), ControllerRegisters.class);

    /** Returns CAP, 3.1.1. */
    @Access(MemoryOrder.VOLATILE)
    long capabilities();

    /** Returns VS, 3.1.2. */
    @Access(MemoryOrder.VOLATILE)
    int version();

    /** Returns INTMS, 3.1.3. */
    @Access(MemoryOrder.VOLATILE)
    int interruptMaskSet();

    void interruptMaskSet(int value);

    /** Returns CC, 3.1.5. */
    @Offset(0x14)
    @Access(MemoryOrder.VOLATILE)
    int configuration();

    void configuration(int value);

    /** Returns CSTS, 3.1.6. */
    @Offset(0x1c)
    @Access(MemoryOrder.VOLATILE)
    int status();

    /** Returns AQA, 3.1.8. */
    @Offset(0x24)
    @Access(MemoryOrder.VOLATILE)
    int adminQueueAttributes();

    void adminQueueAttributes(int value);

    /** Returns ASQ, 3.1.9. */
    @Access(MemoryOrder.VOLATILE)
    long adminSubmissionQueue();

    void adminSubmissionQueue(long address);

    /** Returns ACQ, 3.1.10. */
    @Access(MemoryOrder.VOLATILE)
    long adminCompletionQueue();

    void adminCompletionQueue(long address);

    // ---- the fields of CAP --------------------------------------------------------------------

    /** Returns CAP.MQES, which counts from 0, plus 1. */
    default int maxQueueEntries() {
        return (int) (capabilities() & 0xffff) + 1;
    }

    /** Returns CAP.TO: how long the controller may take to become ready, or to cease being so. */
    default long readyTimeoutMillis() {
        return 500 * (capabilities() >>> 24 & 0xff);
    }

    /** Returns the distance of doorbells by CAP.DSTRD: 4 bytes, or a power of two times as many. */
    default long doorbellStride() {
        return 4L << (capabilities() >>> 32 & 0xf);
    }

    /** Returns CAP.CSS bit 0: whether the controller supports the NVM command set. */
    default boolean hasNvmCommandSet() {
        return (capabilities() >>> 37 & 1) != 0;
    }

    /** Returns the page size of CAP.MPSMIN. */
    default long minPageBytes() {
        return 4096L << (capabilities() >>> 48 & 0xf);
    }

    // ---- the fields of CSTS -------------------------------------------------------------------

    /** Returns CSTS.RDY. */
    default boolean isReady() {
        return (status() & 1) != 0;
    }

    /** Returns CSTS.CFS. */
    default boolean hasFailed() {
        return (status() & 2) != 0;
    }

    /** Returns whether CSTS.SHST reports a completed shutdown. */
    default boolean isShutDown() {
        return (status() >>> 2 & 3) == 2;
    }
}
