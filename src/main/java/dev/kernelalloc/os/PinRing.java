package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;

/**
 * Pins: pages that are registered as buffers of an io_uring are held as for a device
 * (FOLL_LONGTERM), and the kernel moves none of them. One ring for the process, with a table of
 * buffers that are entered and removed one by one; it is never used otherwise, and ends with the
 * process.
 *
 * <p>All code of the process can close the descriptor. That ends all pins, and the number may
 * become another file's. So the file is identified before each use, and one that is no longer the
 * ring is never touched: its pins are lost, and the next pin opens another ring. A pin's number
 * names its ring too.
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

    /** Pins of a ring, of which {@link #SLOTS} are numbered together. */
    private static final class Ring {

        private final int file;
        private final FileIdentity identity;
        private final Map<Integer, Long> bytesOfSlot = new HashMap<>();
        private final BitSet taken = new BitSet();

        /** Pages of some pins were let go, by whoever closed or emptied it. */
        private boolean lost;

        /** The descriptor is not the ring's any more. */
        private boolean gone;

        private Ring(int file, FileIdentity identity) {
            this.file = file;
            this.identity = identity;
        }

        private long pinnedBytes() {
            return bytesOfSlot.values().stream().mapToLong(Long::longValue).sum();
        }
    }

    // Guarded by this:
    /** The last is in use; those before it were lost. */
    private final List<Ring> rings = new ArrayList<>();

    PinRing() {}

    synchronized int pin(Linux linux, long address, long bytes, MemorySegment callState)
            throws Refusal {
        Ring ring = current(linux, callState);
        int slot = ring.taken.nextClearBit(0);
        if (slot == SLOTS) {
            throw new Refusal.OutOfMemory(
                    String.format(
                                    Locale.ROOT,
                                    "pinning: this process has %d pins, and the kernel allows no"
                                            + " more: use larger",
                                    SLOTS)
                            + " blocks");
        }
        if (update(linux, ring, slot, address, bytes, callState) == 1) {
            ring.taken.set(slot);
            ring.bytesOfSlot.put(slot, bytes);
            return (rings.size() - 1) * SLOTS + slot;
        }
        ErrorCode error = linux.error(callState);
        String what = Posix.range("pinning", address, bytes) + ": " + error;
        throw switch (error.number()) {
            case Posix.ENOMEM -> refusedMemory(linux, what);
            case Linux.EFAULT, Linux.EOPNOTSUPP ->
                    new Refusal.NotSupported(what + ", pages of this kind cannot be pinned");
            default -> Linux.other(what, error);
        };
    }

    /** The ring that new pins go to. */
    private Ring current(Linux linux, MemorySegment callState) throws Refusal {
        if (!rings.isEmpty()) {
            Ring last = rings.getLast();
            identify(linux, last, callState);
            if (!last.lost) {
                return last;
            }
        }
        if (rings.size() == Integer.MAX_VALUE / SLOTS) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "pinning: the io_uring that holds pins was closed %d times by other"
                                    + " code",
                            rings.size()));
        }
        int file = open(linux, callState);
        Ring ring = new Ring(file, FileIdentity.of(linux, file, callState));
        rings.add(ring);
        return ring;
    }

    /** Marks a ring whose descriptor was closed, or has another file. */
    private static void identify(Linux linux, Ring ring, MemorySegment callState) {
        if (!ring.gone && !FileIdentity.of(linux, ring.file, callState).equals(ring.identity)) {
            ring.gone = true;
            ring.lost = true;
        }
    }

    /**
     * Compares the pins with the kernel's count. If some pages of a ring were unpinned, all its
     * pins count as lost, since it is unknown which they were.
     *
     * @return whether a pin holds, as it is now
     */
    synchronized IntPredicate held(Linux linux, MemorySegment callState) throws Refusal {
        rings.forEach(ring -> identify(linux, ring, callState));
        long bytes = rings.stream().filter(ring -> !ring.lost).mapToLong(Ring::pinnedBytes).sum();
        if (bytes > 0 && linux.pinBudget().lockedBytes() < bytes) {
            rings.forEach(ring -> ring.lost = true);
        }
        BitSet lost = new BitSet();
        for (int i = 0; i < rings.size(); i++) {
            lost.set(i, rings.get(i).lost);
        }
        return pin -> !lost.get(pin / SLOTS);
    }

    private static Refusal refusedMemory(Linux linux, String what) throws Refusal {
        OperatingSystem.LockBudget budget = linux.pinBudget();
        return budget.exempt()
                ? new Refusal.OutOfMemory(what + ", no memory left for it")
                : budget.exceeded(what + " (a user's processes count together)", "pinned", "pin");
    }

    /** Ends a pin; one whose ring is gone has ended with it. */
    synchronized void unpin(Linux linux, int pin, MemorySegment callState) throws Refusal {
        Ring ring = rings.get(pin / SLOTS);
        int slot = pin % SLOTS;
        identify(linux, ring, callState);
        if (!ring.gone && update(linux, ring, slot, 0, 0, callState) != 1 && !ring.lost) {
            ErrorCode error = linux.error(callState);
            throw new Refusal.SystemError("ending pin " + slot + ": " + error, error);
        }
        ring.taken.clear(slot);
        ring.bytesOfSlot.remove(slot);
        if (ring.lost && !ring.gone && ring.taken.isEmpty()) {
            linux.calls().close(ring.file);
            ring.gone = true;
        }
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
                default -> Linux.other(what, error);
            };
        }
    }

    /** No bytes at address 0 empty the slot. */
    private static long update(
            Linux linux, Ring ring, int slot, long address, long bytes, MemorySegment callState) {
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
                    ring.file,
                    IoUring.IORING_REGISTER_BUFFERS_UPDATE,
                    update,
                    (int) IO_URING_RSRC_UPDATE2_BYTES,
                    callState);
        }
    }
}
