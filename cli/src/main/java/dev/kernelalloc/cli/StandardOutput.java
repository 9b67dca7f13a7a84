package dev.kernelalloc.cli;

import org.jspecify.annotations.Nullable;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The standard output, which remembers its first failure: {@link java.io.PrintWriter} keeps only
 * that there was one. Unlike {@code System.out} it reports when its reader is gone.
 */
final class StandardOutput extends OutputStream {

    private final FileOutputStream file = new FileOutputStream(FileDescriptor.out);
    private @Nullable IOException failure;

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        try {
            file.write(bytes, offset, length);
        } catch (IOException e) {
            if (failure == null) {
                failure = e;
            }
            throw e;
        }
    }

    /**
     * Returns why results are lost. A pipe whose reader has read enough is no failure, and a pipe
     * has no other.
     */
    Optional<IOException> failure() {
        return isFile() ? Optional.ofNullable(failure) : Optional.empty();
    }

    /** Returns false for a pipe, a socket, and where the system has no {@code /proc}. */
    private static boolean isFile() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/1")).isAbsolute();
        } catch (IOException | UnsupportedOperationException unknown) {
            return false;
        }
    }
}
