package dev.kernelalloc.os;

import java.io.IOException;
import java.time.Duration;

/** Another process, which sends what it should not. */
public final class SharedMemoryPeer {

    private SharedMemoryPeer() {}

    /** Sends any descriptor to the process that listens at a path. */
    public static void send(String socket, int descriptor, Duration timeout) throws IOException {
        DescriptorSocket.send(new Linux(), socket, descriptor, timeout);
    }
}
