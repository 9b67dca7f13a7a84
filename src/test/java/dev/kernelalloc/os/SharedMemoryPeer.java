package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.kernelalloc.testing.Await;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** Another process, which does what it should not. */
public final class SharedMemoryPeer implements AutoCloseable {

    private static final int TYPE =
            DescriptorSocket.SOCK_SEQPACKET
                    | DescriptorSocket.SOCK_NONBLOCK
                    | DescriptorSocket.SOCK_CLOEXEC;

    private final LinuxCalls calls = new LinuxCalls() {};
    private final Arena arena = Arena.ofShared();
    private final MemorySegment callState = arena.allocate(CallState.LAYOUT);
    private final MemorySegment address;
    private final int socket = call(DescriptorSocket.SYS_SOCKET, DescriptorSocket.AF_UNIX, TYPE, 0);

    private SharedMemoryPeer(String path) {
        int bytes = path.getBytes(StandardCharsets.UTF_8).length;
        address = arena.allocate(Short.BYTES + bytes + 1L, Short.BYTES);
        address.set(JAVA_SHORT, 0, DescriptorSocket.AF_UNIX);
        address.setString(Short.BYTES, path);
    }

    /** Sends any descriptor to the process that listens at a path. */
    public static void send(String socket, int descriptor, Duration timeout) throws IOException {
        DescriptorSocket.send(new Linux(), socket, descriptor, timeout);
    }

    /** Connects to the process that listens at a path, as soon as it does. */
    public static SharedMemoryPeer connect(String path) {
        SharedMemoryPeer peer = new SharedMemoryPeer(path);
        Await.until("a process listens at " + path, peer::isConnected);
        return peer;
    }

    /** Listens at a path. */
    public static SharedMemoryPeer listen(String path) {
        SharedMemoryPeer peer = new SharedMemoryPeer(path);
        MemorySegment address = peer.address;
        if (peer.call(DescriptorSocket.SYS_BIND, peer.socket, address.address(), address.byteSize())
                        != 0
                || peer.call(DescriptorSocket.SYS_LISTEN, peer.socket, 8, 0) != 0) {
            throw new AssertionError("not listening at " + path);
        }
        return peer;
    }

    /** Accepts a connection, as soon as there is one, and closes it. */
    public void acceptAndClose() {
        Await.until("a process connects", this::isAccepted);
    }

    private boolean isAccepted() {
        int connected = call(DescriptorSocket.SYS_ACCEPT4, socket, 0, 0);
        return connected >= 0 && calls.close(connected) == 0;
    }

    private boolean isConnected() {
        return call(DescriptorSocket.SYS_CONNECT, socket, address.address(), address.byteSize())
                == 0;
    }

    /**
     * Sends a message.
     *
     * @param bytes its size, which may be 0
     * @param descriptor sent with it; -1 for none
     */
    public void send(int bytes, int descriptor) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment vector = scratch.allocate(JAVA_LONG, 2);
            vector.set(JAVA_LONG, 0, scratch.allocate(bytes + 1L).address());
            vector.set(JAVA_LONG, 8, bytes);
            MemorySegment control = scratch.allocate(20, 8);
            control.set(JAVA_LONG, 0, 20);
            control.set(JAVA_INT, 8, DescriptorSocket.SOL_SOCKET);
            control.set(JAVA_INT, 12, DescriptorSocket.SCM_RIGHTS);
            control.set(JAVA_INT, 16, descriptor);
            MemorySegment message = scratch.allocate(56, 8);
            message.set(JAVA_LONG, 16, vector.address());
            message.set(JAVA_LONG, 24, 1);
            if (descriptor >= 0) {
                message.set(JAVA_LONG, 32, control.address());
                message.set(JAVA_LONG, 40, 20);
            }
            int flags = DescriptorSocket.MSG_NOSIGNAL;
            int sent = call(DescriptorSocket.SYS_SENDMSG, socket, message.address(), flags);
            if (sent != bytes) {
                throw new AssertionError("sent " + sent + " of " + bytes + " bytes");
            }
        }
    }

    private int call(int number, long first, long second, long third) {
        return (int) calls.syscall(number, first, second, third, 0, 0, 0, callState);
    }

    @Override
    public void close() {
        calls.close(socket);
        arena.close();
    }
}
