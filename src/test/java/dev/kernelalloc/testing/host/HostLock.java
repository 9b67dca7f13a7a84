package dev.kernelalloc.testing.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * One process of the machine changes it at a time. The kernel gives the lock up when the process
 * ends, however that happens.
 */
final class HostLock implements AutoCloseable {

    private static final Path FILE = Path.of("/run/kernel-alloc-host-tests.lock");

    private final FileChannel channel;

    private HostLock(FileChannel channel) {
        this.channel = channel;
    }

    /** Waits until no other process has it. */
    static HostLock take() {
        try {
            FileChannel channel =
                    FileChannel.open(FILE, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = channel.tryLock();
            if (lock == null) {
                System.out.println("waiting for the process that holds " + FILE);
                channel.lock();
            }
            return new HostLock(channel);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
