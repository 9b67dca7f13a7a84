package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * Pins: pages that are registered as buffers of an io_uring are held as for a device
 * (FOLL_LONGTERM), and the kernel moves none of them. One ring for the process, with a table of
 * buffers that are entered and removed one by one; it is never used otherwise, and ends with the
 * process.
 */
final class PinRing {

    /** The kernel keeps one count of pins for the process too. */
    static final PinRing OF_PROCESS = new PinRing();

    /** {@code IORING_MAX_REG_BUFFERS} of the kernel's io_uring/rsrc.c. */
    private static final int SLOTS = 1 << 14;

    /** {@code struct io_uring_rsrc_register}. */
    static final long IO_URING_RSRC_REGISTER_BYTES = 32;

    static final long REGISTER_NR = 0;
    static final long REGISTER_FLAGS = 4;

    /** {@code struct io_uring_rsrc_update2}. */
    static final long IO_URING_RSRC_UPDATE2_BYTES = 32;

    static final long UPDATE_OFFSET = 0;
    static final long UPDATE_DATA = 8;
    static final long UPDATE_NR = 24;

    static final long IOVEC_BYTES = 16;

    private static final int NONE = -1;

    // Guarded by this:
    private int ring = NONE;
    private final BitSet taken = new BitSet();

    private PinRing() {}

    synchronized int pin(Linux linux, long address, long bytes, MemorySegment callState)
            throws Refusal {
        if (ring == NONE) {
            ring = open(linux, callState);
        }
        int slot = taken.nextClearBit(0);
        if (slot == SLOTS) {
            throw new Refusal.OutOfMemory(
                    "pinning: this process has %d pins, and the kernel allows no more: use larger"
                                    .formatted(SLOTS)
                            + " blocks");
        }
        if (update(linux, slot, address, bytes, callState) == 1) {
            taken.set(slot);
            return slot;
        }
        ErrorCode error = linux.error(callState);
        String what = Posix.range("pinning", address, bytes) + ": " + error;
        throw switch (error.number()) {
            case Posix.ENOMEM -> refusedMemory(what, bytes);
            case Linux.EFAULT, Linux.EOPNOTSUPP ->
                    new Refusal.NotSupported(what + ", pages of this kind cannot be pinned");
            default -> new Refusal.SystemError(what, error);
        };
    }

    private static Refusal refusedMemory(String what, long bytes) throws Refusal {
        OperatingSystem.LockBudget budget = Proc.pinBudget();
        return budget.exempt()
                ? new Refusal.OutOfMemory(what + ", no memory left for it")
                : budget.exceeded(what + " (a user's processes count together)", "pinned", "pin");
    }

    synchronized void unpin(Linux linux, int slot, MemorySegment callState) throws Refusal {
        if (update(linux, slot, 0, 0, callState) != 1) {
            ErrorCode error = linux.error(callState);
            throw new Refusal.SystemError("ending pin " + slot + ": " + error, error);
        }
        taken.clear(slot);
    }

    private static int open(Linux linux, MemorySegment callState) throws Refusal {
        int ring = IoUring.setup(linux, callState);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = arena.allocate(IO_URING_RSRC_REGISTER_BYTES, Long.BYTES);
            table.set(JAVA_INT, REGISTER_NR, SLOTS);
            table.set(JAVA_INT, REGISTER_FLAGS, IoUring.IORING_RSRC_REGISTER_SPARSE);
            long result =
                    IoUring.register(
                            linux,
                            ring,
                            IoUring.IORING_REGISTER_BUFFERS2,
                            table,
                            (int) IO_URING_RSRC_REGISTER_BYTES,
                            callState);
            if (result >= 0) {
                return ring;
            }
            ErrorCode error = linux.error(callState);
            linux.calls().close(ring);
            String what = "making a table of buffers in an io_uring: " + error;
            throw switch (error.number()) {
                case Posix.EINVAL ->
                        new Refusal.NotSupported(what + ", the kernel is older than 5.19");
                case Posix.EPERM, Posix.EACCES ->
                        new Refusal.NotPermitted(what + ", a container's filter forbids it");
                default -> new Refusal.SystemError(what, error);
            };
        }
    }

    /** No bytes at address 0 empty the slot. */
    private long update(Linux linux, int slot, long address, long bytes, MemorySegment callState) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(IOVEC_BYTES, Long.BYTES);
            buffer.set(JAVA_LONG, 0, address);
            buffer.set(JAVA_LONG, Long.BYTES, bytes);
            MemorySegment update = arena.allocate(IO_URING_RSRC_UPDATE2_BYTES, Long.BYTES);
            update.set(JAVA_INT, UPDATE_OFFSET, slot);
            update.set(JAVA_LONG, UPDATE_DATA, buffer.address());
            update.set(JAVA_INT, UPDATE_NR, 1);
            return IoUring.register(
                    linux,
                    ring,
                    IoUring.IORING_REGISTER_BUFFERS_UPDATE,
                    update,
                    (int) IO_URING_RSRC_UPDATE2_BYTES,
                    callState);
        }
    }
}
