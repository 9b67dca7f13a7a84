package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;

/**
 * Pins where io_uring is refused: an AF_XDP socket that has registered memory for packets (UMEM)
 * holds its pages as for a device (FOLL_LONGTERM), linux/if_xdp.h. The socket is never bound and
 * sees no packet. It needs {@code CAP_NET_RAW}, which Docker grants by default.
 *
 * <p>A socket has one UMEM, so each pin takes a file descriptor; some are left to the process.
 * Closing the socket ends the pin, a moment later: the kernel does that in the background. A child
 * made by fork(2) shares the socket until it ends or executes another program, and prolongs the pin
 * until then.
 *
 * <p>All code of the process can close the descriptor, and its number may become another file's. So
 * the file is identified before each use, and one that is no longer the socket is never touched.
 */
final class XdpPins {

    static final XdpPins OF_PROCESS = new XdpPins();

    private static final boolean IS_X86 = System.getProperty("os.arch").equals("amd64");

    static final int SYS_SOCKET = IS_X86 ? 41 : 198;
    static final int SYS_SETSOCKOPT = IS_X86 ? 54 : 208;

    static final int AF_XDP = 44;
    static final int SOCK_RAW = 3;
    static final int SOCK_CLOEXEC = 0x80000;
    static final int SOL_XDP = 283;
    static final int XDP_UMEM_REG = 4;

    /** {@code struct xdp_umem_reg}; older kernels have its beginning. */
    static final long XDP_UMEM_REG_BYTES = 32;

    static final long REG_ADDR = 0;
    static final long REG_LEN = 8;
    static final long REG_CHUNK_SIZE = 16;

    /** How long after its socket is closed a pin may still count, and the time between looks. */
    private static final long END_OF_PIN_NANOS = 100_000_000;

    private static final long LOOK_NANOS = 1_000_000;

    /** The file descriptors that pins leave to the rest of the process. */
    private static final int DESCRIPTORS_LEFT = 128;

    private record Socket(int file, FileIdentity identity) {}

    // Guarded by this:
    private final Map<Integer, Socket> sockets = new HashMap<>();
    private final BitSet taken = new BitSet();

    /** When a socket was closed last; written under the lock. */
    private volatile long closedNanos = System.nanoTime() - END_OF_PIN_NANOS;

    XdpPins() {}

    /** Pins pages; a limit that pins which are just ending reach is no refusal. */
    int pin(Linux linux, long address, long bytes, MemorySegment callState) throws Refusal {
        long begun = System.nanoTime();
        while (true) {
            long now = System.nanoTime();
            boolean ending = now - closedNanos < END_OF_PIN_NANOS && now - begun < END_OF_PIN_NANOS;
            try {
                return tryPin(linux, address, bytes, callState);
            } catch (Refusal.LockLimit e) {
                if (!ending) {
                    throw e;
                }
                LockSupport.parkNanos(this, LOOK_NANOS);
            }
        }
    }

    private synchronized int tryPin(Linux linux, long address, long bytes, MemorySegment callState)
            throws Refusal {
        int pin = taken.nextClearBit(0);
        int file = open(linux, callState);
        try {
            register(linux, file, address, bytes, callState);
            sockets.put(pin, new Socket(file, FileIdentity.of(linux, file, callState)));
            taken.set(pin);
            return pin;
        } catch (Refusal | RuntimeException | Error e) {
            sockets.remove(pin);
            close(linux, file);
            throw e;
        }
    }

    private static int open(Linux linux, MemorySegment callState) throws Refusal {
        int file =
                (int)
                        linux.calls()
                                .syscall(
                                        SYS_SOCKET,
                                        AF_XDP,
                                        SOCK_RAW | SOCK_CLOEXEC,
                                        0,
                                        0,
                                        0,
                                        0,
                                        callState);
        if (file < 0) {
            ErrorCode error = linux.error(callState);
            String what = "making an AF_XDP socket: " + error;
            throw switch (error.number()) {
                case Posix.EPERM, Posix.EACCES ->
                        new Refusal.NotPermitted(
                                what
                                        + ", the process has no CAP_NET_RAW, or a filter forbids it"
                                        + " (docker: --cap-add NET_RAW)");
                case Linux.EAFNOSUPPORT, Posix.EINVAL, Linux.ENOSYS ->
                        new Refusal.NotSupported(
                                what
                                        + ", the kernel is older than 4.18 or built without"
                                        + " CONFIG_XDP_SOCKETS");
                default -> Linux.other(what, error);
            };
        }
        long limit = linux.calls().fileLimit();
        if (file >= limit - DESCRIPTORS_LEFT) {
            linux.calls().close(file);
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "pinning by an AF_XDP socket: each pin takes a file descriptor, this"
                                    + " would be number %d, and %d of the limit of %d are left to"
                                    + " the process: use larger blocks, or raise ulimit -n",
                            file,
                            DESCRIPTORS_LEFT,
                            limit));
        }
        return file;
    }

    private static void register(
            Linux linux, int file, long address, long bytes, MemorySegment callState)
            throws Refusal {
        long result;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(XDP_UMEM_REG_BYTES, Long.BYTES);
            memory.set(JAVA_LONG, REG_ADDR, address);
            memory.set(JAVA_LONG, REG_LEN, bytes);
            memory.set(JAVA_INT, REG_CHUNK_SIZE, (int) linux.pageBytes());
            result =
                    linux.calls()
                            .syscall(
                                    SYS_SETSOCKOPT,
                                    file,
                                    SOL_XDP,
                                    XDP_UMEM_REG,
                                    memory.address(),
                                    XDP_UMEM_REG_BYTES,
                                    0,
                                    callState);
        }
        if (result == 0) {
            return;
        }
        ErrorCode error = linux.error(callState);
        String what = Posix.range("pinning by an AF_XDP socket", address, bytes) + ": " + error;
        throw switch (error.number()) {
            case Linux.ENOBUFS ->
                    linux.pinBudget()
                            .exceeded(
                                    what
                                            + " (a user's processes count together, and VmPin does"
                                            + " not show these pins)",
                                    "pinned",
                                    "pin");
            case Posix.ENOMEM -> new Refusal.OutOfMemory(what + ", no memory left for it");
            case Linux.EFAULT, Linux.EOPNOTSUPP ->
                    new Refusal.NotSupported(what + ", pages of this kind cannot be pinned");
            default -> Linux.other(what, error);
        };
    }

    /** Ends a pin; one whose socket was closed by other code has ended with it. */
    synchronized void unpin(Linux linux, int pin, MemorySegment callState) {
        Socket socket = sockets.get(pin);
        if (socket != null && isOpen(linux, socket, callState)) {
            close(linux, socket.file);
        }
        sockets.remove(pin);
        taken.clear(pin);
    }

    private void close(Linux linux, int file) {
        linux.calls().close(file);
        closedNanos = System.nanoTime();
    }

    /** Returns whether the socket of a pin is still open, as of now; of later pins, true. */
    synchronized IntPredicate held(Linux linux, MemorySegment callState) {
        BitSet closed = new BitSet();
        sockets.forEach((pin, socket) -> closed.set(pin, !isOpen(linux, socket, callState)));
        return pin -> !closed.get(pin);
    }

    private static boolean isOpen(Linux linux, Socket socket, MemorySegment callState) {
        return FileIdentity.of(linux, socket.file, callState).equals(socket.identity);
    }
}
