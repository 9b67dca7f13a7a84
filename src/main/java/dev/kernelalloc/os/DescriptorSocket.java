package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.kernelalloc.bulk.BulkMemory;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;

/**
 * A Unix socket over which a file descriptor reaches another process: {@code SCM_RIGHTS}, unix(7).
 * Channels of java.nio cannot, and do not show theirs. The receiver answers by a byte, so the
 * sender knows.
 *
 * <p>No call blocks: waiting ends at a deadline and by an interrupt, and leaves the carrier of a
 * virtual thread to others.
 */
final class DescriptorSocket implements AutoCloseable {

    private static final boolean IS_X86 = System.getProperty("os.arch").equals("amd64");

    static final int SYS_READ = IS_X86 ? 0 : 63;
    static final int SYS_WRITE = IS_X86 ? 1 : 64;
    static final int SYS_SOCKET = IS_X86 ? 41 : 198;
    static final int SYS_BIND = IS_X86 ? 49 : 200;
    static final int SYS_LISTEN = IS_X86 ? 50 : 201;
    static final int SYS_ACCEPT4 = IS_X86 ? 288 : 242;
    static final int SYS_CONNECT = IS_X86 ? 42 : 203;
    static final int SYS_SENDMSG = IS_X86 ? 46 : 211;
    static final int SYS_RECVMSG = IS_X86 ? 47 : 212;
    static final int SYS_GETSOCKOPT = IS_X86 ? 55 : 209;
    static final int SYS_GETEUID = IS_X86 ? 107 : 175;
    static final int SYS_FCHMOD = IS_X86 ? 91 : 52;
    static final int SYS_UNLINKAT = IS_X86 ? 263 : 35;

    static final short AF_UNIX = 1;
    static final int SOCK_SEQPACKET = 5;
    static final int SOCK_NONBLOCK = 0x800;
    static final int SOCK_CLOEXEC = 0x80000;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_CTRUNC = 8;
    static final int SOL_SOCKET = 1;
    static final int SO_PEERCRED = 17;
    static final int SCM_RIGHTS = 1;

    /** {@code struct sockaddr_un}: a short, and the path with its end. */
    private static final int MOST_PATH_BYTES = 107;

    /** {@code struct msghdr} of 64-bit systems. */
    private static final long MSGHDR_BYTES = 56;

    private static final long MSG_IOV = 16;
    private static final long MSG_IOVLEN = 24;
    private static final long MSG_CONTROL = 32;
    private static final long MSG_CONTROLLEN = 40;
    private static final long MSG_FLAGS = 48;

    /** {@code struct cmsghdr}, and room for one descriptor: the kernel closes all others. */
    private static final long CMSG_BYTES = 20;

    private static final long CMSG_LEVEL = 8;
    private static final long CMSG_TYPE = 12;
    private static final long CMSG_DATA = 16;

    /** {@code struct ucred}: the process, its user and its group. */
    private static final int UCRED_BYTES = 12;

    private static final long UCRED_UID = 4;

    private static final long RETRY_NANOS = 2_000_000;

    /** How long a process that has connected may keep the next one waiting. */
    private static final long TURN_NANOS = 100_000_000;

    private final Linux linux;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment callState = arena.allocate(CallState.LAYOUT);
    private final String path;
    private final MemorySegment address;
    private final MemorySegment data = arena.allocate(1);
    private final MemorySegment control = arena.allocate(CMSG_BYTES, Long.BYTES);
    private final MemorySegment message = message();
    private final long deadline;
    private final int socket;
    private FileIdentity bound = FileIdentity.NONE;

    private DescriptorSocket(Linux linux, String path, byte[] bytes, long deadline)
            throws IOException {
        this.linux = linux;
        this.path = path;
        this.address = arena.allocate(Short.BYTES + bytes.length + 1L, Short.BYTES);
        address.set(JAVA_SHORT, 0, AF_UNIX);
        BulkMemory.copy(bytes, bytes.length, address, JAVA_BYTE, Short.BYTES);
        this.deadline = deadline;
        int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
        this.socket = call(SYS_SOCKET, AF_UNIX, type, 0);
        if (socket < 0) {
            IOException failure = failed("making a Unix socket");
            arena.close();
            throw failure;
        }
    }

    private static DescriptorSocket open(Linux linux, String path, long deadline)
            throws IOException {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > MOST_PATH_BYTES || path.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(
                    "the path of a Unix socket has 1 to " + MOST_PATH_BYTES + " bytes: " + path);
        }
        return new DescriptorSocket(linux, path, bytes, deadline);
    }

    /** Returns the {@link System#nanoTime} at which the time is up. */
    private static long deadline(Duration timeout) {
        boolean endless = timeout.compareTo(Duration.ofNanos(Long.MAX_VALUE)) > 0;
        long nanos = endless ? Long.MAX_VALUE : timeout.isNegative() ? 0 : timeout.toNanos();
        return System.nanoTime() + nanos;
    }

    /**
     * Sends a descriptor to the process that listens at a path, or will before the time is up, and
     * returns when it has received it.
     */
    static void send(Linux linux, String path, int descriptor, Duration timeout)
            throws IOException {
        long deadline = deadline(timeout);
        boolean received = false;
        while (!received) {
            try (DescriptorSocket socket = open(linux, path, deadline)) {
                socket.connect();
                socket.requireTrustedReceiver();
                received = socket.send(descriptor);
            }
        }
    }

    /** Listens at a path until a process has sent a descriptor, which the caller closes. */
    static int receive(Linux linux, String path, Duration timeout) throws IOException {
        try (DescriptorSocket socket = open(linux, path, deadline(timeout))) {
            socket.listen();
            return socket.receive();
        }
    }

    private void connect() throws IOException {
        int result =
                retried(
                        () -> call(SYS_CONNECT, socket, address.address(), address.byteSize()),
                        Posix.ENOENT,
                        Linux.ECONNREFUSED);
        if (result != 0) {
            throw failed("no process received at " + path + " in time");
        }
    }

    /**
     * A user who can write to the directory of the path can bind it first, and would get memory.
     */
    private void requireTrustedReceiver() throws IOException {
        MemorySegment receiver = arena.allocate(UCRED_BYTES, Integer.BYTES);
        long bytes = arena.allocateFrom(JAVA_INT, UCRED_BYTES).address();
        long result =
                linux.calls()
                        .syscall(
                                SYS_GETSOCKOPT,
                                socket,
                                SOL_SOCKET,
                                SO_PEERCRED,
                                receiver.address(),
                                bytes,
                                0,
                                callState);
        if (result != 0) {
            throw failed("the user of the process that receives at " + path);
        }
        int uid = receiver.get(JAVA_INT, UCRED_UID);
        int own = call(SYS_GETEUID, 0, 0, 0);
        int root = 0;
        if (uid != own && uid != root) {
            throw new IOException(
                    String.format(
                            Locale.ROOT,
                            "another user receives at %s: uid=%s own=%s; choose a path in a"
                                    + " directory that only this user can write to, or run both"
                                    + " processes as one user",
                            path,
                            Integer.toUnsignedString(uid),
                            Integer.toUnsignedString(own)));
        }
    }

    /**
     * Returns false if the receiver has ended before: it takes one descriptor, and closes the
     * connections of those who wait behind that sender.
     */
    private boolean send(int descriptor) throws IOException {
        control.set(JAVA_LONG, 0, CMSG_BYTES);
        control.set(JAVA_INT, CMSG_LEVEL, SOL_SOCKET);
        control.set(JAVA_INT, CMSG_TYPE, SCM_RIGHTS);
        control.set(JAVA_INT, CMSG_DATA, descriptor);
        int sent = retried(() -> call(SYS_SENDMSG, socket, message.address(), MSG_NOSIGNAL));
        int answer = sent < 0 ? sent : retried(() -> call(SYS_READ, socket, data.address(), 1));
        if (answer > 0) {
            return true;
        }
        int error = answer == 0 ? Linux.ECONNRESET : linux.error(callState).number();
        if (error != Linux.ECONNRESET && error != Linux.EPIPE) {
            throw failed("the process at " + path + " did not receive the descriptor");
        }
        if (isPast(deadline)) {
            throw new IOException("the process at " + path + " ended without receiving");
        }
        pause();
        return false;
    }

    /** Only this user may connect: the mode of the socket is that of the file bind(2) makes. */
    private void listen() throws IOException {
        int ownerOnly = 0600;
        if (call(SYS_FCHMOD, socket, ownerOnly, 0) != 0
                || call(SYS_BIND, socket, address.address(), address.byteSize()) != 0) {
            throw failed("making the socket " + path);
        }
        bound = file();
        if (call(SYS_LISTEN, socket, 1, 0) != 0) {
            throw failed("listening at " + path);
        }
    }

    /** A process that connects and sends nothing is ignored. */
    private int receive() throws IOException {
        while (true) {
            int peer = retried(this::accept);
            if (peer < 0) {
                throw failed("waiting for a descriptor at " + path);
            }
            try {
                message.set(JAVA_LONG, MSG_CONTROLLEN, CMSG_BYTES);
                long turn = Math.min(TURN_NANOS, deadline - System.nanoTime());
                int got =
                        retried(
                                System.nanoTime() + turn,
                                () -> call(SYS_RECVMSG, peer, message.address(), MSG_CMSG_CLOEXEC));
                int descriptor = got < 0 ? -1 : received();
                if (got > 0) {
                    if (descriptor < 0) {
                        throw noDescriptor();
                    }
                    int _ = call(SYS_WRITE, peer, data.address(), 1); // it may have died
                    return descriptor;
                }
                if (descriptor >= 0) {
                    linux.calls().close(descriptor); // an empty message can carry one
                }
            } finally {
                linux.calls().close(peer);
            }
            if (isPast(deadline)) {
                throw new IOException("no process that connected to " + path + " sent in time");
            }
        }
    }

    private int accept() {
        return (int)
                linux.calls()
                        .syscall(
                                SYS_ACCEPT4,
                                socket,
                                0,
                                0,
                                SOCK_NONBLOCK | SOCK_CLOEXEC,
                                0,
                                0,
                                callState);
    }

    /** Returns the descriptor that a message carried, which is open from now on, or -1. */
    private int received() {
        boolean carried =
                message.get(JAVA_LONG, MSG_CONTROLLEN) >= CMSG_BYTES
                        && control.get(JAVA_LONG, 0) == CMSG_BYTES
                        && control.get(JAVA_INT, CMSG_LEVEL) == SOL_SOCKET
                        && control.get(JAVA_INT, CMSG_TYPE) == SCM_RIGHTS;
        return carried ? control.get(JAVA_INT, CMSG_DATA) : -1;
    }

    private IOException noDescriptor() {
        boolean dropped = (message.get(JAVA_INT, MSG_FLAGS) & MSG_CTRUNC) != 0;
        return new IOException(
                dropped
                        ? "the kernel dropped the descriptor sent to "
                                + path
                                + ": this process may have none left, raise its limit (ulimit -n)"
                        : "the process that connected to " + path + " sent no descriptor");
    }

    /** A message of one byte, which a descriptor needs to travel with, and of control data. */
    private MemorySegment message() {
        MemorySegment vector = arena.allocate(JAVA_LONG, 2);
        vector.setAtIndex(JAVA_LONG, 0, data.address());
        vector.setAtIndex(JAVA_LONG, 1, 1);
        MemorySegment made = arena.allocate(MSGHDR_BYTES, Long.BYTES);
        made.set(JAVA_LONG, MSG_IOV, vector.address());
        made.set(JAVA_LONG, MSG_IOVLEN, 1);
        made.set(JAVA_LONG, MSG_CONTROL, control.address());
        made.set(JAVA_LONG, MSG_CONTROLLEN, CMSG_BYTES);
        return made;
    }

    private int retried(IntSupplier call, int... passing) throws IOException {
        return retried(deadline, call, passing);
    }

    /** Repeats a call that would block, or whose error passes, until a time. */
    private int retried(long end, IntSupplier call, int... passing) throws IOException {
        while (true) {
            int result = call.getAsInt();
            if (result >= 0) {
                return result;
            }
            int error = linux.error(callState).number();
            boolean passes = error == Linux.EAGAIN || error == Linux.EINTR;
            for (int one : passing) {
                passes |= error == one;
            }
            if (!passes || isPast(end)) {
                return result;
            }
            pause();
        }
    }

    private static boolean isPast(long time) {
        return System.nanoTime() - time >= 0;
    }

    private void pause() throws InterruptedIOException {
        if (Thread.interrupted()) {
            throw new InterruptedIOException("interrupted while waiting at " + path);
        }
        LockSupport.parkNanos(this, RETRY_NANOS);
    }

    private int call(int number, long first, long second, long third) {
        return (int) linux.calls().syscall(number, first, second, third, 0, 0, 0, callState);
    }

    private IOException failed(String what) {
        ErrorCode error = linux.error(callState);
        String why =
                switch (error.number()) {
                    case Linux.EAGAIN -> ", the time is up";
                    case Linux.EADDRINUSE -> ", a file is there: remove it if no process uses it";
                    default -> "";
                };
        return new IOException(what + ": " + error + why);
    }

    private FileIdentity file() {
        return FileIdentity.at(linux, address.asSlice(Short.BYTES), callState);
    }

    /** Another process may have removed the file, and made one of its own. */
    @Override
    public void close() {
        if (!bound.equals(FileIdentity.NONE) && bound.equals(file())) {
            call(SYS_UNLINKAT, FileIdentity.AT_FDCWD, address.address() + Short.BYTES, 0);
        }
        linux.calls().close(socket);
        arena.close();
    }
}
